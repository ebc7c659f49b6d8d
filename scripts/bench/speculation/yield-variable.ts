// How the bench tells its workers the share of guesses that it leaves as they are.
export const YIELD_VARIABLE = 'ESPALIER_BENCH_YIELD';
