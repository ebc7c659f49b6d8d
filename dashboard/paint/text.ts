// Text in terminal cells: how wide it is, and how it is cut, filled up and wrapped. It knows no colour and no screen.
import stringWidth from 'string-width';

/** ASCII, and the signs that our own painters draw: one cell each. Looking up all others takes a hundred times as long. */
const ONE_CELL_EACH = /^[\x20-\x7e\u2500-\u259f\u2800-\u28ff–…→↓↺●◐◑◔○◌▲■◆▸✗✓·]*$/;
const segmenter = new Intl.Segmenter();

/** Of characters that are not our own; those of a language come again and again. */
const known = new Map<string, number>();
const MAX_KNOWN = 4_096;

/** Cells that a text takes: 2 for most of Chinese, Japanese and Korean, and for emoji; 0 for combining marks. */
export function cells(text: string): number {
  if (ONE_CELL_EACH.test(text)) return text.length;
  let sum = 0;
  for (const { segment } of segmenter.segment(text)) sum += cellsOf(segment);
  return sum;
}

/** Of what is one character to a reader. */
function cellsOf(character: string): number {
  const before = known.get(character);
  if (before !== undefined) return before;
  const width = stringWidth(character);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(character, width);
  return width;
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

/** The end of a text, at most `width` cells of it: where somebody writes. */
export function endOf(text: string, width: number): string {
  const characters = [...segmenter.segment(text)];
  let begin = characters.length;
  let room = width;
  while (begin > 0) {
    room -= cellsOf(characters[begin - 1]?.segment ?? '');
    if (room < 0) break;
    begin -= 1;
  }
  return text.slice(characters[begin]?.index ?? text.length);
}

/** Lines of at most `width` cells, broken at spaces where there are any; the last one is cut where `maxLines` end. */
export function wrap(text: string, width: number, maxLines = Number.POSITIVE_INFINITY): string[] {
  const lines = text.split('\n').flatMap((paragraph) => wrapParagraph(paragraph, width));
  if (lines.length <= maxLines) return lines;
  const kept = lines.slice(0, maxLines);
  const last = kept.pop();
  return last === undefined ? [] : [...kept, cut(`${last} …`, width)];
}

function wrapParagraph(paragraph: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const word of paragraph.split(' ')) {
    const needed = cells(word);
    if (line !== '' && used + 1 + needed <= width) {
      line += ` ${word}`;
      used += 1 + needed;
      continue;
    }
    if (line !== '') lines.push(line);
    const pieces = needed <= width ? [word] : broken(word, width);
    lines.push(...pieces.slice(0, -1));
    line = pieces.at(-1) ?? '';
    used = cells(line);
  }
  return [...lines, line];
}

/** A word in pieces that fit, of at least one character each so that there is an end. */
function broken(word: string, width: number): string[] {
  const pieces: string[] = [];
  let piece = '';
  let used = 0;
  for (const { segment } of segmenter.segment(word)) {
    const needed = cellsOf(segment);
    if (piece !== '' && used + needed > width) {
      pieces.push(piece);
      piece = '';
      used = 0;
    }
    piece += segment;
    used += needed;
  }
  return [...pieces, piece];
}
