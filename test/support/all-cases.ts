// How much of what can be tested is tested: a sample, or with ESPALIER_ALL_CASES=1 everything, which takes an hour.

export const ALL_CASES = process.env.ESPALIER_ALL_CASES === '1';

/** Each n-th of a list, the first among them; all of it where all cases are asked for. */
export function sampleOf<Item>(list: readonly Item[], everyNth: number): Item[] {
  return list.filter((_, i) => ALL_CASES || i % everyNth === 0);
}
