// A secret that a script hands over on standard input: one short line.
import { EspalierError } from '../../protocol/errors.ts';

const MAX_LINE_BYTES = 1_024;
const TIMEOUT_MS = 10_000;

/**
 * The first line of standard input, without spaces around it.
 * @param what it should be, in a word
 * @throws EspalierError bad_option when nothing comes within TIMEOUT_MS, or something that is too long
 */
export async function readFirstLine(what: string): Promise<string> {
  let text = '';
  const timer = setTimeout(() => process.stdin.destroy(), TIMEOUT_MS);
  try {
    for await (const chunk of process.stdin) {
      text += String(chunk);
      if (text.includes('\n') || text.length > MAX_LINE_BYTES) break;
    }
  } catch {
    // destroyed by the deadline: told below
  } finally {
    clearTimeout(timer);
  }
  const [line = ''] = text.split('\n');
  if (line.trim() === '' || line.length > MAX_LINE_BYTES)
    throw new EspalierError('bad_option', `${what} must come as one line on standard input`);
  return line.trim();
}
