// How many tokens of a prompt go into one step. Pure arithmetic over what the step stands beside.

/** Beside running streams a chunk is this many times shorter than alone: they wait for all of it at each token. */
const SHORT_CHUNKS = 8;
/**
 * A prompt is cut into about this many chunks for each stage. While m chunks go through n stages, one after the other, a
 * stage idles for (n − 1) / (m + n − 1) of the time: 6 % of two stages, 10 % of six.
 */
const CHUNKS_PER_STAGE = 8;
/** Shorter chunks cost more than they save: a step has costs of its own, and experts get too few tokens each. */
const MIN_PIPELINED_TOKENS = 128;

export interface ChunkLimits {
  stageCount: number;
  /** the longest chunk */
  prefillChunkTokens: number;
  /** chunk × context: each head's attention scores of a chunk, which lie in memory at once */
  maxChunkScores: number;
}

/**
 * @param position tokens of the prompt that are sent already
 * @param leftTokens tokens of the prompt that are not, at least one
 * @param isAlone whether no other session waits for this step
 * @returns at least 1, at most `leftTokens`
 */
export function chunkTokens(
  { stageCount, prefillChunkTokens, maxChunkScores }: ChunkLimits,
  position: number,
  leftTokens: number,
  isAlone: boolean,
): number {
  const pipelined = Math.max(MIN_PIPELINED_TOKENS, Math.ceil(leftTokens / (stageCount * CHUNKS_PER_STAGE)));
  const wished = isAlone
    ? Math.min(prefillChunkTokens, stageCount > 1 ? pipelined : prefillChunkTokens)
    : Math.floor(prefillChunkTokens / SHORT_CHUNKS);
  const count = Math.min(Math.max(1, wished), leftTokens);
  // count · (position + count) ≤ maxChunkScores, solved for count
  const held = Math.floor((Math.sqrt(position ** 2 + 4 * maxChunkScores) - position) / 2);
  return Math.max(1, Math.min(count, held));
}
