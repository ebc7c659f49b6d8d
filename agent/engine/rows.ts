// A step's tokens, row by row: splitting what all rows have in one tensor, and joining what was computed for each.
import { mx, type Tensor } from './mlx.ts';
import type { Row } from './step.ts';

/** @param tensor [tokens, ...] @param counts of tokens, which follow each other @returns one tensor for each */
export function splitTokens(tensor: Tensor, counts: readonly number[]): Tensor[] {
  if (counts.length === 1) return [tensor];
  let end = 0;
  const ends = counts.slice(0, -1).map((count) => {
    end += count;
    return end;
  });
  return mx.split(tensor, ends, 0);
}

/** The opposite of splitTokens. */
export function joinTokens(parts: Tensor[]): Tensor {
  return parts.length === 1 ? (parts[0] as Tensor) : mx.concatenate(parts, 0);
}

/** Rows that follow each other and are computed in the same way. */
export interface Run<T> {
  of: T;
  /** places in the step's rows */
  begin: number;
  end: number;
  tokens: number;
}

/** @param of what the rows of one run have in common */
export function runsOf<T>(rows: readonly Row[], of: (row: Row) => T): Run<T>[] {
  const runs: Run<T>[] = [];
  for (const [place, row] of rows.entries()) {
    const own = of(row);
    const last = runs.at(-1);
    if (last?.of === own) {
      last.end = place + 1;
      last.tokens += row.count;
    } else {
      runs.push({ of: own, begin: place, end: place + 1, tokens: row.count });
    }
  }
  return runs;
}

/**
 * Computes the rows of each run and joins the answers.
 * @param tensors each [tokens, ...]
 * @param compute gets a run, its rows, and its part of each tensor; returns [the run's tokens, ...]
 */
export function byRun<T, N extends [Tensor, ...Tensor[]]>(
  rows: readonly Row[],
  of: (row: Row) => T,
  tensors: N,
  compute: (run: Run<T>, rows: readonly Row[], parts: N) => Tensor,
): Tensor {
  const runs = runsOf(rows, of);
  const counts = runs.map((run) => run.tokens);
  const split = tensors.map((tensor) => splitTokens(tensor, counts));
  return joinTokens(
    runs.map((run, i) => {
      const parts = split.map((each) => each[i] as Tensor) as N;
      return compute(run, rows.slice(run.begin, run.end), parts);
    }),
  );
}

/** Computes each row and joins the answers. @param compute gets a row, its place, and its part of each tensor */
export function byRow<N extends [Tensor, ...Tensor[]]>(
  rows: readonly Row[],
  tensors: N,
  compute: (row: Row, place: number, parts: N) => Tensor,
): Tensor {
  const counts = rows.map((row) => row.count);
  const split = tensors.map((tensor) => splitTokens(tensor, counts));
  return joinTokens(
    rows.map((row, place) => compute(row, place, split.map((each) => each[place] as Tensor) as N)),
  );
}

/** Tokens of one row as attention wants them. @param x [count, heads, d] @returns [1, heads, count, d] */
export function headsFirst(x: Tensor): Tensor {
  const [count, heads, d] = x.shape as [number, number, number];
  // one token's numbers are in that order already
  return count === 1 ? x.reshape(1, heads, 1, d) : x.reshape(1, count, heads, d).transpose(0, 2, 1, 3);
}

/** The opposite of headsFirst. @param x [1, heads, count, d] @returns [count, heads, d] */
export function tokensFirst(x: Tensor): Tensor {
  const [, heads, count, d] = x.shape as [number, number, number, number];
  return (count === 1 ? x : x.transpose(0, 2, 1, 3)).reshape(count, heads, d);
}
