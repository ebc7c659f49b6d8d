// The demo model's reference cases as the bench asks them: prompts with real answers, so that guesses can be right.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Sampling } from '../../../protocol/generate.ts';
import { referenceFile } from '../../lab/load.ts';
import type { BenchCluster } from '../bench-cluster.ts';

const File = z.object({
  cases: z.array(z.object({ prompt_ids: z.array(z.int()), greedy_ids: z.array(z.int()) })),
});
export type ReferenceCase = z.infer<typeof File>['cases'][number];

/** The token that ends the demo model's answers. */
const END_ID = 1;
const MAX_TOKENS = 400;
/** The longest answer takes seconds. */
const TIMEOUT_MS = 300_000;
const LOGPROB_TOLERANCE = 1e-3;
const GREEDY: Sampling = { temperature: 0, topP: 1, seed: 0 };

export async function referenceCases(): Promise<ReferenceCase[]> {
  const { cases } = File.parse(JSON.parse(await readFile(referenceFile(), 'utf8')));
  return cases;
}

/** Those whose answers are long enough to get into step, and not as long as all others together. */
export function longAnswers(cases: readonly ReferenceCase[]): ReferenceCase[] {
  return cases.filter(({ greedy_ids: { length } }) => length >= 80 && length <= 140);
}

export interface Answer {
  tokens: number[];
  /** as it came: tokens, log probabilities and why it ended */
  events: readonly object[];
  /** from the first token to the last */
  decodeMs: number;
}

/** The whole answer to a prompt. */
export async function answer(
  { controller, takeTurn }: BenchCluster,
  promptIds: number[],
  sampling: Partial<Sampling> = {},
): Promise<Answer> {
  await takeTurn();
  const request = {
    promptIds,
    maxTokens: MAX_TOKENS,
    stopIds: [END_ID],
    sampling: { ...GREEDY, ...sampling },
  };
  const tokens: number[] = [];
  const told: object[] = [];
  let [first, last] = [0, 0];
  for await (const event of controller.source.generate(request, AbortSignal.timeout(TIMEOUT_MS))) {
    last = performance.now();
    if (told.length === 0) first = last;
    const { requestId: _, cachedTokens: __, ...own } = event;
    told.push(own);
    if (event.token !== null) tokens.push(event.token);
  }
  return { tokens, events: told, decodeMs: last - first };
}

/** Whether two answers told the same. The last bits of a log probability depend on how many rows shared its step, as in any batch. */
export function isSame(one: unknown, other: unknown, key = ''): boolean {
  if (key === 'logprob' && typeof one === 'number' && typeof other === 'number')
    return Math.abs(one - other) <= LOGPROB_TOLERANCE;
  if (typeof one !== 'object' || typeof other !== 'object' || !one || !other) return one === other;
  const [entries, others] = [Object.entries(one), new Map(Object.entries(other))];
  return (
    entries.length === others.size && entries.every(([name, value]) => isSame(value, others.get(name), name))
  );
}

/** Decoded tokens a second over several answers, one after the other. */
export async function oneStreamSpeed(
  cluster: BenchCluster,
  cases: readonly ReferenceCase[],
): Promise<number> {
  let tokens = 0;
  let ms = 0;
  for (const { prompt_ids: promptIds } of cases) {
    const { tokens: own, decodeMs } = await answer(cluster, promptIds);
    tokens += own.length;
    ms += decodeMs;
  }
  return (1000 * tokens) / ms;
}
