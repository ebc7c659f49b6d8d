// Sampling options that tests share.
import type { Sampling } from '../../protocol/generate.ts';

export const GREEDY: Sampling = { temperature: 0, topP: 1, seed: 0 };
