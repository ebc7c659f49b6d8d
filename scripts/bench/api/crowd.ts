// Many clients at once, as a home has them on a bad day: slow readers, half of them leave amid their answers.
// It must not know the cluster behind the API.
import { setTimeout as delay } from 'node:timers/promises';
import { postStream } from './stream-client.ts';

/** One short answer on an idle cluster takes a second or two. */
const ALONE_MS = 60_000;

export interface Question {
  messages: readonly { role: string; content: string }[];
  /** what a greedy answer begins with: reasoning and content, without marks and newlines */
  answer: string;
}

export interface CrowdOptions {
  url: string;
  clients: number;
  /** each client asks until this has passed; at least once */
  durationMs: number;
  questions: readonly Question[];
  maxTokens: number;
  /** between two reads of one client */
  readDelayMs: number;
  /** aborted at the end at the latest */
  signal: AbortSignal;
}

export interface CrowdResult {
  right: number;
  /** answers that were not what they should be, with what they were */
  wrong: string[];
  left: number;
  failed: string[];
  /** text pieces a second, of each answer that was read to its end, slowest first */
  rates: number[];
}

/** The letters of a text: where the reasoning ends, newlines and marks are not shown. */
export function letters(text: string): string {
  return text.replaceAll(/<\/?think>|\s/g, '');
}

export async function crowd(options: CrowdOptions): Promise<CrowdResult> {
  const result: CrowdResult = { right: 0, wrong: [], left: 0, failed: [], rates: [] };
  const endMs = performance.now() + options.durationMs;
  await Promise.all(
    Array.from({ length: options.clients }, async (_, client) => {
      for (let round = 0; round === 0 || performance.now() < endMs; round++) {
        await askOnce(options, client, round, result);
      }
    }),
  );
  result.rates.sort((a, b) => a - b);
  return result;
}

/** The whole text of one greedy answer. @throws Error of the API */
export async function askAlone(
  url: string,
  messages: Question['messages'],
  maxTokens: number,
): Promise<string> {
  const body = { messages, temperature: 0, max_tokens: maxTokens, stream: true };
  let text = '';
  for await (const { data } of postStream(
    `${url}/v1/chat/completions`,
    body,
    AbortSignal.timeout(ALONE_MS),
  )) {
    if (data !== '[DONE]') text += pieceOf(data);
  }
  return text;
}

async function askOnce(
  options: CrowdOptions,
  client: number,
  round: number,
  result: CrowdResult,
): Promise<void> {
  const { url, questions, maxTokens, readDelayMs, signal } = options;
  const question = questions[(client + round) % questions.length] as Question;
  // half of them leave, each after another number of pieces
  const leavesAfter = client % 2 === 1 ? 1 + ((client >> 1) % 3) : Number.POSITIVE_INFINITY;
  const leave = new AbortController();
  const body = { messages: question.messages, temperature: 0, max_tokens: maxTokens, stream: true };
  let text = '';
  let pieces = 0;
  let firstAtMs = 0;
  let lastAtMs = 0;
  try {
    const events = postStream(`${url}/v1/chat/completions`, body, AbortSignal.any([signal, leave.signal]));
    for await (const { data, atMs } of events) {
      if (data === '[DONE]') break;
      const piece = pieceOf(data);
      if (piece === '') continue;
      text += piece;
      firstAtMs ||= atMs;
      lastAtMs = atMs;
      if (++pieces >= leavesAfter) {
        leave.abort();
        result.left += 1;
        return;
      }
      await delay(readDelayMs);
    }
  } catch (error) {
    if (leave.signal.aborted) result.left += 1;
    else result.failed.push((error as Error).message);
    return;
  }
  const said = letters(text);
  if (said !== '' && letters(question.answer).startsWith(said)) result.right += 1;
  else result.wrong.push(text);
  if (pieces > 1) result.rates.push(((pieces - 1) * 1_000) / Math.max(lastAtMs - firstAtMs, 1));
}

function pieceOf(data: string): string {
  const { choices, error } = JSON.parse(data) as {
    choices?: { delta: { content?: string; reasoning_content?: string } }[];
    error?: { message: string };
  };
  if (error) throw new Error(error.message);
  const { content = '', reasoning_content = '' } = choices?.[0]?.delta ?? {};
  return reasoning_content + content;
}
