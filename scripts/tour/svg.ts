// Pictures of a terminal as one moving SVG: text that can be selected, no script, no font that has to be loaded. Pure.

export interface Picture {
  /** lines with SGR sequences */
  lines: readonly string[];
  /** how long it stays */
  seconds: number;
}

const CELL_WIDTH = 8.4;
const LINE_HEIGHT = 18;
const PADDING = 14;
const BACKGROUND = '#16181d';
const FOREGROUND = '#d7dae0';
/** Of the eight colours, those that the dashboard uses. */
const COLOURS: Record<number, string> = {
  31: '#ef6b73',
  32: '#8ccf7e',
  33: '#e5c76b',
  34: '#67b0e8',
  35: '#c47fd5',
  36: '#6cd0ca',
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal's styles are
const SGR = /\u001b\[([\d;]*)m/;

interface Style {
  colour: string;
  bold: boolean;
  dim: boolean;
  inverse: boolean;
  underline: boolean;
}

const PLAIN: Style = { colour: FOREGROUND, bold: false, dim: false, inverse: false, underline: false };

/** @param columns the width that all pictures have */
export function movingSvg(pictures: readonly Picture[], columns: number, rows: number): string {
  const width = Math.ceil(columns * CELL_WIDTH + 2 * PADDING);
  const height = rows * LINE_HEIGHT + 2 * PADDING;
  const total = pictures.reduce((sum, { seconds }) => sum + seconds, 0);
  let begin = 0;
  const rules: string[] = [];
  const groups = pictures.map(({ lines, seconds }, index) => {
    const from = (begin / total) * 100;
    const to = ((begin + seconds) / total) * 100;
    begin += seconds;
    rules.push(keyframes(index, from, to));
    return `<g class="p" style="animation-name:p${index}">${lines.map(textLine).join('')}</g>`;
  });
  const style =
    `text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre;fill:${FOREGROUND}}` +
    `.p{opacity:0;animation:${total}s step-end infinite}.p:first-of-type{opacity:1}${rules.join('')}` +
    '@media (prefers-reduced-motion:reduce){.p{animation:none}}';
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="A tour of Espalier's dashboard">` +
    `<style>${style}</style><rect width="${width}" height="${height}" rx="8" fill="${BACKGROUND}"/>${groups.join('')}</svg>\n`
  );
}

function keyframes(index: number, from: number, to: number): string {
  const at = (share: number) => `${share.toFixed(3)}%`;
  const before = from > 0 ? '0%{opacity:0}' : '';
  const after = to < 100 ? `${at(to)},100%{opacity:0}` : '';
  return `@keyframes p${index}{${before}${at(from)}{opacity:1}${after}}`;
}

function textLine(line: string, row: number): string {
  const y = PADDING + (row + 0.78) * LINE_HEIGHT;
  let x = 0;
  let drawn = '';
  let style = PLAIN;
  // every other part is the parameters of one SGR sequence
  for (const [index, part] of line.replaceAll('\u000f', '').split(SGR).entries()) {
    if (index % 2 === 1) style = styleAfter(style, part);
    else {
      if (part.trim() !== '' || style.inverse) drawn += spanOf(part, x, y, style);
      x += [...part].length;
    }
  }
  return drawn;
}

function spanOf(
  text: string,
  x: number,
  y: number,
  { colour, bold, dim, inverse, underline }: Style,
): string {
  const left = PADDING + x * CELL_WIDTH;
  const width = [...text].length * CELL_WIDTH;
  const box = inverse
    ? `<rect x="${left.toFixed(1)}" y="${(y - 0.78 * LINE_HEIGHT).toFixed(1)}" width="${width.toFixed(1)}" height="${LINE_HEIGHT}" fill="${colour}"/>`
    : '';
  const marks = [
    `x="${left.toFixed(1)}" y="${y.toFixed(1)}"`,
    // every machine has another font: the cells stay where they are
    `textLength="${width.toFixed(1)}"`,
    inverse ? `style="fill:${BACKGROUND}"` : colour === FOREGROUND ? '' : `style="fill:${colour}"`,
    bold ? 'font-weight="bold"' : '',
    dim ? 'opacity=".6"' : '',
    underline ? 'text-decoration="underline"' : '',
  ].filter((mark) => mark !== '');
  return `${box}<text ${marks.join(' ')}>${escaped(text)}</text>`;
}

function styleAfter(before: Style, parameters: string): Style {
  let style = before;
  for (const code of (parameters === '' ? '0' : parameters).split(';').map(Number)) {
    if (code === 0) style = PLAIN;
    else if (code === 1) style = { ...style, bold: true };
    else if (code === 2) style = { ...style, dim: true };
    else if (code === 4) style = { ...style, underline: true };
    else if (code === 7) style = { ...style, inverse: true };
    else if (code === 22) style = { ...style, bold: false, dim: false };
    else if (code === 24) style = { ...style, underline: false };
    else if (code === 27) style = { ...style, inverse: false };
    else if (code === 39) style = { ...style, colour: FOREGROUND };
    else style = { ...style, colour: COLOURS[code] ?? style.colour };
  }
  return style;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
