// A set of token ids as text: one bit for each id of the vocabulary, in base64. However long a prompt is, its set takes
// no more than MAX_ID_SET_CHARS characters, where a list of 160,000 ids would take a megabyte. Pure.
import { MAX_VOCABULARY } from '../../protocol/limits.ts';

/**
 * The ids as text, as long as the largest one asks for.
 * @throws RangeError for an id that is not below MAX_VOCABULARY: no engine loads a model that has one
 */
export function encodeIdSet(ids: readonly number[]): string {
  const largest = ids.reduce((max, id) => Math.max(max, id), -1);
  if (largest >= MAX_VOCABULARY) throw new RangeError(`token id ${largest} is over ${MAX_VOCABULARY - 1}`);
  const bits = Buffer.alloc(Math.ceil((largest + 1) / 8));
  for (const id of ids) bits[id >> 3] = (bits[id >> 3] ?? 0) | (1 << (id & 7));
  return bits.toString('base64');
}

/** The ids of `encodeIdSet`, ascending. Text of anything else gives some ids below MAX_VOCABULARY or none. */
export function decodeIdSet(text: string): number[] {
  const ids: number[] = [];
  for (const [at, byte] of Buffer.from(text, 'base64').entries()) {
    for (let bit = 0; bit < 8; bit++) {
      if (byte & (1 << bit)) ids.push(8 * at + bit);
    }
  }
  return ids;
}
