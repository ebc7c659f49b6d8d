// Prompts without meaning, each drawn from a seed of its own: no KV that is kept from an earlier one can help, and both
// sides of a comparison can take the same.

/** Ids that every model of the benches has: the demo model's vocabulary is the smallest. */
const ID_COUNT = 1024;

/** Gives prompts, no two alike and the same ones in each run. */
export type PromptSource = (tokens: number) => number[];

export function promptSource(): PromptSource {
  let seed = 0;
  return (tokens) => promptIds(++seed, tokens);
}

/** The same seed gives the same `count` ids (mulberry32, a generator in the public domain by Tommy Ettinger). */
export function promptIds(seed: number, count: number): number[] {
  let state = seed >>> 0;
  return Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % ID_COUNT;
  });
}
