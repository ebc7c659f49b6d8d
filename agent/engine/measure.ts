// Measures on this machine which of two ways to compute a product is faster for how many rows. The engine's only use of
// a clock: what it decides changes how long a step takes, never what it answers.
import { fasterFrom, type Sample } from './crossover.ts';
import { type Dtype, mx, type Tensor } from './mlx.ts';

/** A few points suffice: the times are nearly straight lines. The last costs the most. */
const ROWS = [1, 4, 16, 64];
/** The fastest of so many, after one to warm up: whatever else runs on the machine only adds. */
const RUNS = 3;

export type Product = (x: Tensor) => Tensor;

const measured = new Map<string, number>();

/**
 * Rows from which the second way is faster; measured once for each kind in a process.
 * @param kind of weight, e.g. its form and bits
 * @param input its inputs and the type of its rows
 * @param makeWays called when they are needed: two ways to multiply rows [rows, inputs] with the same weight
 */
export function measuredFasterFrom(
  kind: string,
  input: { width: number; dtype: Dtype },
  makeWays: () => [Product, Product],
): number {
  const known = measured.get(kind);
  if (known !== undefined) return known;
  const ways = makeWays();
  const samples = ROWS.map((rows): Sample => {
    const x = mx.ones([rows, input.width], input.dtype);
    mx.eval(x);
    const [firstMs, secondMs] = ways.map((way) => fastestMs(() => way(x))) as [number, number];
    return { rows, firstMs, secondMs };
  });
  const rows = fasterFrom(samples);
  measured.set(kind, rows);
  return rows;
}

function fastestMs(product: () => Tensor): number {
  mx.eval(product());
  let fastest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const begin = performance.now();
    mx.eval(product());
    fastest = Math.min(fastest, performance.now() - begin);
  }
  return fastest;
}
