// Text in lines of a limited width. It knows nothing of what the text says.

/**
 * @param text on one line; what it begins with of spaces stays
 * @param indent what every line but the first begins with; it counts as a part of the width
 * @returns lines that are no longer than `width`, unless a single word is
 */
export function wrap(text: string, width: number, indent = ''): string {
  const lead = /^ */.exec(text)?.[0] ?? '';
  const lines: string[] = [];
  let line = '';
  for (const word of text.slice(lead.length).split(' ')) {
    const longer = line === '' ? (lines.length === 0 ? lead : indent) + word : `${line} ${word}`;
    if (line !== '' && [...longer].length > width) {
      lines.push(line.trimEnd());
      line = indent + word;
    } else line = longer;
  }
  return [...lines, line].join('\n');
}
