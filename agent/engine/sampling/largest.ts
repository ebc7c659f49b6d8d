// The largest entries of a vector on the device, exactly: of equal ones the lower id comes first, as in an argmax, so
// that neither the partition's order nor a coarse dtype's many ties decide what is kept.
import { mx, type Tensor } from '../mlx.ts';

export interface Entry {
  id: number;
  value: number;
}

/**
 * The `count` largest entries, largest first; all of them where there are no more.
 * @param row float32 [tokens] without NaN
 * @param count at least 1, and small: as many numbers leave the device
 */
export function largest(row: Tensor, count: number): Entry[] {
  const rest = row.size - count;
  if (rest <= 0) return sorted((row.tolist() as number[]).map((value, id) => ({ id, value })));
  // one more than asked for: the largest that is left out, which stands first
  const order = mx.argpartition(row, rest - 1, -1).index(mx.Slice(rest - 1, row.size));
  const values = mx.take(row, order, 0);
  mx.eval(order, values);
  const ids = order.tolist() as number[];
  const [next, ...entries] = (values.tolist() as number[]).map((value, i) => ({
    id: ids[i] as number,
    value,
  }));
  const least = entries.reduce((min, { value }) => Math.min(min, value), Number.POSITIVE_INFINITY);
  if (next?.value !== least) return sorted(entries);
  const above = entries.filter(({ value }) => value > least);
  const ties = lowestIds(row, least, count - above.length).map((id) => ({ id, value: least }));
  return [...sorted(above), ...ties];
}

/** The `count` lowest ids among the entries of this value, ascending. */
function lowestIds(row: Tensor, value: number, count: number): number[] {
  // ids are exact in float32: below 2 ** 24
  const keys = mx.negative(mx.arange(row.size, mx.float32));
  const found = mx.topk(mx.where(mx.equal(row, value), keys, Number.NEGATIVE_INFINITY), count, -1);
  return (found.tolist() as number[]).map((key) => -key + 0).sort((a, b) => a - b);
}

function sorted(entries: Entry[]): Entry[] {
  return entries.sort((a, b) => (a.value === b.value ? a.id - b.id : b.value - a.value));
}
