// The same few questions to any server of OpenAI's API, one or several at once: generated tokens a second. It must not know
// which server it is.
import { z } from 'zod';

/** Each has an answer of some fifty tokens by the demo model, of which all servers give the beginning alike. */
const QUESTIONS = [
  'What is 467 + 149?',
  "How many r's are in strawberry?",
  'What is 318 + 275?',
  "How many s's are in Mississippi?",
] as const;

const MAX_TOKENS = 32;
const ANSWER_TIMEOUT_MS = 300_000;

const Completion = z.object({ usage: z.object({ completion_tokens: z.int().min(1) }) });

/** @param count of questions at once, at most four @returns generated tokens a second, prompts included */
export async function chatSpeed(url: string, model: string, count: number): Promise<number> {
  const begin = performance.now();
  const tokens = await Promise.all(QUESTIONS.slice(0, count).map((question) => ask(url, model, question)));
  return (tokens.reduce((sum, some) => sum + some, 0) * 1000) / (performance.now() - begin);
}

async function ask(url: string, model: string, question: string): Promise<number> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      messages: [{ role: 'user', content: question }],
      temperature: 0,
      max_tokens: MAX_TOKENS,
    }),
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`${url} answers HTTP ${response.status}: ${await response.text()}`);
  return Completion.parse(await response.json()).usage.completion_tokens;
}
