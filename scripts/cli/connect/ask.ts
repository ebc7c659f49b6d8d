// Asks the endpoint in a client's way: the same paths, the same kind of stream, and the words that must end it.
// It must not know which client asks like that.
import { unreachable } from '../../../dashboard/client.ts';
import { failureOf, parseJson } from '../api-answer.ts';
import type { Endpoint, Way } from './client.ts';

/** One short answer, on a cluster that may be busy. */
const ANSWER_TIMEOUT_MS = 120_000;
/** So few that even a 671B model is done in seconds. */
const TOKENS = 8;
const HELLO = [{ role: 'user', content: 'Hello' }];

interface Ask {
  path: string;
  /** without one it is a GET */
  body?: (endpoint: Endpoint) => object;
  headers?: (key: string) => Record<string, string>;
  /** what a right answer has */
  expects: RegExp;
}

const MODELS: Ask = { path: '/v1/models', expects: /"object":"list"/ };

const ASKS: Record<Way, readonly Ask[]> = {
  'openai-chat': [
    MODELS,
    {
      path: '/v1/chat/completions',
      body: ({ model }) => ({ model, messages: HELLO, max_tokens: TOKENS, stream: true }),
      expects: /data: \[DONE\]\n\n$/,
    },
  ],
  'openai-completions': [
    {
      path: '/v1/completions',
      body: ({ model }) => ({ model, prompt: 'Hello', max_tokens: TOKENS, stream: true }),
      expects: /data: \[DONE\]\n\n$/,
    },
  ],
  'openai-responses': [
    {
      path: '/v1/responses',
      body: ({ model }) => ({ model, input: 'Hello', max_output_tokens: TOKENS, stream: true }),
      expects: /event: response\.(completed|incomplete)\n/,
    },
  ],
  anthropic: [
    {
      path: '/v1/messages/count_tokens?beta=true',
      body: ({ model }) => ({ model, messages: HELLO }),
      headers: (key) => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
      expects: /"input_tokens":\d/,
    },
    {
      path: '/v1/messages?beta=true',
      body: ({ model }) => ({ model, messages: HELLO, max_tokens: TOKENS, stream: true }),
      headers: (key) => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
      expects: /event: message_stop\n/,
    },
  ],
  ollama: [
    { path: '/api/version', expects: /"version":/ },
    { path: '/api/tags', expects: /"models":\[\{/ },
    { path: '/api/show', body: ({ model }) => ({ model }), expects: /"capabilities":/ },
    {
      path: '/api/chat',
      body: ({ model }) => ({ model, messages: HELLO, options: { num_predict: TOKENS } }),
      expects: /"done":true/,
    },
  ],
};

export interface Asked {
  path: string;
  /** what was wrong; undefined where all was right */
  problem: string | undefined;
}

/** Asks one question after the other. @throws EspalierError controller_unreachable */
export async function* askInItsWay(endpoint: Endpoint, ways: readonly Way[]): AsyncGenerator<Asked> {
  for (const way of ways)
    for (const ask of ASKS[way]) yield { path: ask.path, problem: await problemOf(endpoint, ask) };
}

async function problemOf(
  endpoint: Endpoint,
  { path, body, headers, expects }: Ask,
): Promise<string | undefined> {
  const { url, key } = endpoint;
  const own = key === undefined ? {} : (headers?.(key) ?? { authorization: `Bearer ${key}` });
  const init = body
    ? {
        method: 'POST',
        body: JSON.stringify(body(endpoint)),
        headers: { 'content-type': 'application/json', ...own },
      }
    : { headers: own };
  let response: Response;
  let text: string;
  try {
    response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    text = await response.text();
  } catch (error) {
    throw unreachable(url, error);
  }
  if (response.ok && expects.test(text)) return undefined;
  const told = failureOf(parseJson(text)) ?? text.slice(0, 200);
  return response.ok ? `the answer is not complete: ${told}` : `HTTP ${response.status}: ${told}`;
}
