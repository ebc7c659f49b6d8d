// What the API adds to each token: from the cluster's own token event to the client that has read it. All in one process,
// so the client's part is counted with it.
import type { RunningController } from '../../../controller/main.ts';
import type { TokenSource } from '../../../controller/token-source.ts';
import { median } from '../figure.ts';
import { postStream } from './stream-client.ts';

export interface AddedTime {
  p50Ms: number;
  p99Ms: number;
  tokens: number;
}

/** A stream of a bench takes seconds; a minute is a hang. */
const STREAM_TIMEOUT_MS = 120_000;

/**
 * @param prompts raw texts, one for each stream; all at once. Completions are asked for, since each token is a piece there
 * @throws Error when pieces and tokens do not match
 */
export async function addedTime(
  { url, source }: RunningController,
  prompts: readonly string[],
  tokens: number,
): Promise<AddedTime> {
  const stamps = new Map<string, number[]>();
  const restore = stampTokens(source, stamps);
  try {
    const added = await Promise.all(
      prompts.map(async (prompt, seed) => {
        const body = { prompt, max_tokens: tokens, temperature: 0, seed, stream: true };
        const readMs: number[] = [];
        const events = postStream(`${url}/v1/completions`, body, AbortSignal.timeout(STREAM_TIMEOUT_MS));
        for await (const { data, atMs } of events) if (isPiece(data)) readMs.push(atMs);
        const stampedMs = stamps.get(String(seed)) ?? [];
        if (readMs.length !== stampedMs.length) {
          throw new Error(`${stampedMs.length} tokens came as ${readMs.length} pieces`);
        }
        return readMs.map((ms, index) => ms - (stampedMs[index] as number));
      }),
    );
    const sorted = added.flat().sort((a, b) => a - b);
    const p99Ms = sorted[Math.floor(sorted.length * 0.99)] as number;
    return { p50Ms: median(sorted), p99Ms, tokens: sorted.length };
  } finally {
    restore();
  }
}

function isPiece(data: string): boolean {
  if (data === '[DONE]') return false;
  const { choices } = JSON.parse(data) as { choices: { text: string }[] };
  return choices[0]?.text !== '';
}

/** Notes when each token of the cluster is there, by the request's seed. The API asks this very object. */
function stampTokens(source: TokenSource, stamps: Map<string, number[]>): () => void {
  const generate = source.generate.bind(source);
  source.generate = async function* (request, signal) {
    const stamped: number[] = [];
    stamps.set(String(request.sampling.seed), stamped);
    for await (const event of generate(request, signal)) {
      if (event.token !== null) stamped.push(performance.now());
      yield event;
    }
  };
  return () => {
    source.generate = generate;
  };
}
