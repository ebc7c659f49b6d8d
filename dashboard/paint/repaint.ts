// What is written to a terminal to turn one picture into the next: the lines that changed, each at its place, and never a
// clear of the whole screen. Pure.

export interface DrawnLine {
  /** with its styles, which it closes itself */
  text: string;
  /** cells that it takes: what is to the right of them is erased */
  width: number;
}

export interface Drawing {
  lines: readonly DrawnLine[];
  columns: number;
}

/** Terminals that know it show all that is between at once; the others pass over it. */
const BEGIN = '\u001b[?2026h';
const END = '\u001b[?2026l';
const ERASE_RIGHT = '\u001b[K';

/** No cursor, and no new line where a terminal takes a character to be wider than it was measured. */
export const ENTER = '\u001b[?25l\u001b[?7l';
export const LEAVE = '\u001b[?7h\u001b[?25h';

/**
 * @param before what the terminal shows; undefined where that is not known, as after it was resized
 * @returns nothing where nothing changed
 */
export function repaint(before: Drawing | undefined, after: Drawing): string {
  const isKnown = before?.columns === after.columns && before.lines.length === after.lines.length;
  const changed = after.lines.flatMap((line, index) => {
    if (isKnown && before.lines[index]?.text === line.text) return [];
    // at the right edge it would erase the last character
    const erase = line.width < after.columns ? ERASE_RIGHT : '';
    return [`\u001b[${index + 1};1H${line.text}${erase}`];
  });
  return changed.length === 0 ? '' : BEGIN + changed.join('') + END;
}
