// From how many rows on one way of computing a product is faster than another, of times that were measured. Pure.

export interface Sample {
  rows: number;
  firstMs: number;
  secondMs: number;
}

/**
 * @param samples at rising numbers of rows
 * @returns rows from which the second way is faster and stays so up to the last sample: where two samples disagree, the
 *   point between them at which the straight lines through both ways' times cross; 1 where it always was, Infinity
 *   where it was not at the last
 */
export function fasterFrom(samples: readonly Sample[]): number {
  const gain = ({ firstMs, secondMs }: Sample) => firstMs - secondMs;
  const place = samples.findLastIndex((sample) => gain(sample) <= 0);
  const slower = samples[place];
  if (!slower) return 1;
  const faster = samples[place + 1];
  if (!faster) return Number.POSITIVE_INFINITY;
  const share = -gain(slower) / (gain(faster) - gain(slower));
  return Math.floor(slower.rows + share * (faster.rows - slower.rows)) + 1;
}
