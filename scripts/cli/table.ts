// Rows of text as aligned columns. It knows nothing of what they hold.

/**
 * @param rows cells of each row; rows may differ in length
 * @param right the columns that are aligned to the right, as numbers are
 * @returns lines without a last line break
 */
export function table(
  rows: readonly (readonly string[])[],
  { right = [] }: { right?: readonly number[] } = {},
): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, length(cell));
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const space = ' '.repeat((widths[column] ?? 0) - length(cell));
          return right.includes(column) ? space + cell : cell + space;
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Characters, not UTF-16 units. */
function length(text: string): number {
  return [...text].length;
}
