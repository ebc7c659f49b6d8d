// A line with the area below it, of values over time. It knows no numbers' meaning.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Draws into an svg element; the newest value is at the right end.
 * @param {SVGElement} svg whose viewBox begins at 0 0
 * @param {readonly number[]} values
 * @param {number} room values that fit
 */
export function drawGraph(svg, values, room) {
  const [, , width = 600, height = 100] = (svg.getAttribute('viewBox') ?? '').split(' ').map(Number);
  const highest = Math.max(...values, 1e-9);
  const step = width / Math.max(1, room - 1);
  const first = width - step * (values.length - 1);
  const points = values.map((value, index) => {
    const x = first + index * step;
    return `${x.toFixed(1)},${(height - 2 - (value / highest) * (height - 8)).toFixed(1)}`;
  });
  const line = points.length > 1 ? `M${points.join('L')}` : '';
  part(svg, 'area').setAttribute(
    'd',
    line === '' ? '' : `${line}L${width},${height}L${first.toFixed(1)},${height}Z`,
  );
  part(svg, 'line').setAttribute('d', line);
}

/** @param {SVGElement} svg @param {string} className */
function part(svg, className) {
  const found = svg.querySelector(`.${className}`);
  if (found !== null) return found;
  const made = document.createElementNS(SVG, 'path');
  made.setAttribute('class', className);
  svg.append(made);
  return made;
}

/** @param {string} className @param {number} width @param {number} height */
export function newGraph(className, width, height) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', className);
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  return svg;
}
