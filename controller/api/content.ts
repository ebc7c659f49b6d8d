// The text of a message's content: a text, or a list of parts that must all be text. It must not know which dialect
// calls its text parts what.
/** A text, or what is wrong with the first part that is none. */
export type ReadContent = string | { path: (string | number)[]; message: string };

/** What is too long to be repeated in a message. */
const MAX_SHOWN_CHARS = 50;

/**
 * Parts become paragraphs.
 * @param textTypes what the dialect calls a part with a text
 * @param isOptional whether there may be no text at all
 */
export function readText(content: unknown, textTypes: readonly string[], isOptional: boolean): ReadContent {
  if (typeof content === 'string') return content;
  if (isOptional && (content === null || content === undefined)) return '';
  if (!Array.isArray(content))
    return { path: ['content'], message: 'must be a text or a list of text parts' };
  const texts: string[] = [];
  for (const [index, part] of content.entries()) {
    const { type, text } = Object(part) as { type?: unknown; text?: unknown };
    if (typeof type === 'string' && textTypes.includes(type) && typeof text === 'string') {
      texts.push(text);
      continue;
    }
    const isOther = typeof type === 'string' && !textTypes.includes(type);
    const what = isOther ? `a part of type "${type.slice(0, MAX_SHOWN_CHARS)}"` : 'this';
    const message = `must be {"type": "${textTypes[0]}", "text": …}: ${what} cannot be read by this model`;
    return { path: ['content', index], message };
  }
  return texts.join('\n');
}
