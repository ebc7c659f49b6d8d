// How often an answer has each of its tokens, as text: for each id the distance from the one before it and the count, as
// numbers of seven bits a byte (LEB128), in base64. Mostly two bytes an id, where JSON would take a dozen. Pure.
import { MAX_VOCABULARY } from '../../protocol/limits.ts';

type Counts = [id: number, count: number][];

/** @param counts ascending by id, each id once and below MAX_VOCABULARY, each count at least 1 */
export function encodeIdCounts(counts: Readonly<Counts>): string {
  const bytes: number[] = [];
  let last = -1;
  for (const [id, count] of counts) {
    if (id <= last || id >= MAX_VOCABULARY) throw new RangeError(`token id ${id} after ${last}`);
    write(bytes, id - last);
    write(bytes, count);
    last = id;
  }
  return Buffer.from(bytes).toString('base64');
}

/** What `encodeIdCounts` was given. Text of anything else gives some counts of ids below MAX_VOCABULARY, or none. */
export function decodeIdCounts(text: string): Counts {
  const bytes = Buffer.from(text, 'base64');
  const counts: Counts = [];
  let at = 0;
  const read = () => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return 0;
  };
  let id = -1;
  while (at < bytes.length) {
    const distance = read();
    const count = read();
    id += distance;
    if (distance < 1 || count < 1 || !(id < MAX_VOCABULARY) || !Number.isSafeInteger(count)) break;
    counts.push([id, count]);
  }
  return counts;
}

function write(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
}
