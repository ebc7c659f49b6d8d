// Text in terminal cells: how wide it is, and how it is cut, filled up and wrapped. It knows no colour and no screen.
import stringWidth from 'string-width';

/** ASCII, and the signs that our own painters draw: one cell each. Looking up all others takes a hundred times as long. */
const ONE_CELL_EACH = /^[\x20-\x7e\u2500-\u259f\u2800-\u28ff–…→↓↺●◐◑◔○◌▲■◆▸✗✓·]*$/;
const segmenter = new Intl.Segmenter();

/** Cells that a text takes: 2 for most of Chinese, Japanese and Korean, and for emoji; 0 for combining marks. */
export function cells(text: string): number {
  return ONE_CELL_EACH.test(text) ? text.length : stringWidth(text);
}

/** At most `width` cells; what is cut off ends with an ellipsis. */
export function cut(text: string, width: number): string {
  if (cells(text) <= width) return text;
  if (width <= 0) return '';
  let kept = '';
  let room = width - 1;
  for (const { segment } of segmenter.segment(text)) {
    room -= cells(segment);
    if (room < 0) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** Exactly `width` cells, cut or filled up with spaces. */
export function fit(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const shown = cut(text, width);
  const space = ' '.repeat(Math.max(0, width - cells(shown)));
  return align === 'left' ? shown + space : space + shown;
}

/** Lines of at most `width` cells, broken at spaces where there are any; the last one is cut where `maxLines` end. */
export function wrap(text: string, width: number, maxLines = Number.POSITIVE_INFINITY): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      const longer = line === '' ? word : `${line} ${word}`;
      if (cells(longer) <= width) {
        line = longer;
        continue;
      }
      if (line !== '') lines.push(line);
      line = word;
      while (cells(line) > width && width > 0) {
        const head = headOf(line, width);
        lines.push(head);
        line = line.slice(head.length);
      }
    }
    lines.push(line);
  }
  if (lines.length <= maxLines) return lines;
  const kept = lines.slice(0, maxLines);
  const last = kept.pop();
  return last === undefined ? [] : [...kept, cut(`${last} …`, width)];
}

/** The longest beginning that fits, of at least one character so that there is an end. */
function headOf(text: string, width: number): string {
  let head = '';
  for (const { segment } of segmenter.segment(text)) {
    if (head !== '' && cells(head + segment) > width) break;
    head += segment;
  }
  return head;
}
