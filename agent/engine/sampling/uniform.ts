// The random number of a draw: a hash of the request's seed and the token's place (docs/decisions/0003). Pure, and
// without a state: it must not know what was drawn before.

const MASK = (1n << 64n) - 1n;

/** One output of SplitMix64 (Steele, Lea, Flood 2014) at counter `state`. */
function splitmix64(state: bigint): bigint {
  let z = (state * 0x9e3779b97f4a7c15n) & MASK;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return z ^ (z >> 31n);
}

/** A uniform number in [0, 1) with 53 random bits for the `index`-th token of a request with `seed`. */
export function uniformAt(seed: number, index: number): number {
  const mixed = splitmix64((splitmix64(BigInt(seed) + 1n) + BigInt(index) + 1n) & MASK);
  return Number(mixed >> 11n) / 2 ** 53;
}
