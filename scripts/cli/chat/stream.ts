// One question to the API and its answer as a stream of pieces: the OpenAI dialect from the client's side.
// It prints nothing and asks nobody.
import { createParser } from 'eventsource-parser';
import { z } from 'zod';
import { describeFailure, unreachable } from '../../../dashboard/client.ts';
import { credentialHeaders } from '../../../protocol/credential.ts';
import { failureOf, parseJson } from '../api-answer.ts';
import { ApiError } from '../api-error.ts';

export interface ChatMessage {
  role: 'user' | 'assistant';
  content: string;
}

export interface ChatQuestion {
  messages: readonly ChatMessage[];
  model?: string | undefined;
  maxTokens?: number | undefined;
  temperature?: number | undefined;
}

export type ChatPiece =
  | { kind: 'reasoning' | 'content'; text: string }
  /** `stop`, `length`, …; `tokens` of the whole answer, null where the server does not tell */
  | { kind: 'end'; reason: string; tokens: number | null };

/** The API sends a comment every ten seconds even while it has nothing to say. */
const SILENCE_MS = 60_000;
/** One event holds a few tokens: more without a line break is no event stream. */
const MAX_EVENT_CHARS = 1_000_000;

const Chunk = z.object({
  choices: z
    .array(
      z.object({
        delta: z
          .object({ content: z.string().nullish(), reasoning_content: z.string().nullish() })
          .optional(),
        finish_reason: z.string().nullish(),
      }),
    )
    .default([]),
  usage: z.object({ completion_tokens: z.int() }).nullish(),
});

/**
 * Asks, and yields the answer as it comes; the last piece is the `end`.
 * @throws EspalierError controller_unreachable; ApiError with the API's own words; the signal's reason when it aborts
 */
export async function* streamChat(
  controllerUrl: string,
  question: ChatQuestion,
  signal: AbortSignal,
): AsyncGenerator<ChatPiece> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE_MS);
  let answering = false;
  try {
    const response = await post(controllerUrl, question, AbortSignal.any([signal, silence.signal]));
    answering = true;
    if (!response.ok || response.body === null) throw await apiError(response);
    let reason: string | null = null;
    let tokens: number | null = null;
    for await (const data of events(response.body, () => timer.refresh())) {
      if (data === '[DONE]') break;
      const chunk = parseChunk(data);
      tokens = chunk.usage?.completion_tokens ?? tokens;
      const choice = chunk.choices[0];
      if (choice === undefined) continue;
      if (choice.delta?.reasoning_content) yield { kind: 'reasoning', text: choice.delta.reasoning_content };
      if (choice.delta?.content) yield { kind: 'content', text: choice.delta.content };
      reason = choice.finish_reason ?? reason;
    }
    if (reason === null) throw new ApiError(brokenOff('the controller closed the stream'));
    yield { kind: 'end', reason, tokens };
  } catch (error) {
    if (error instanceof ApiError) throw error;
    signal.throwIfAborted();
    const cause = silence.signal.aborted
      ? new Error(`it has said nothing for ${SILENCE_MS / 1000} s`)
      : error;
    throw answering ? new ApiError(brokenOff(describeFailure(cause))) : unreachable(controllerUrl, cause);
  } finally {
    clearTimeout(timer);
  }
}

async function post(controllerUrl: string, question: ChatQuestion, signal: AbortSignal): Promise<Response> {
  // undefined fields are left out by JSON: the API then takes the model's own defaults
  const body = {
    model: question.model,
    messages: question.messages,
    max_tokens: question.maxTokens,
    temperature: question.temperature,
    stream: true,
    stream_options: { include_usage: true },
  };
  return await fetch(new URL('/v1/chat/completions', controllerUrl), {
    method: 'POST',
    headers: {
      ...credentialHeaders(controllerUrl),
      'content-type': 'application/json',
      accept: 'text/event-stream',
    },
    body: JSON.stringify(body),
    signal,
  });
}

/** The data of each server-sent event. */
async function* events(body: ReadableStream<Uint8Array>, heard: () => void): AsyncGenerator<string> {
  let waiting: string[] = [];
  let failure: Error | undefined;
  const parser = createParser({
    onEvent: (event) => waiting.push(event.data),
    onError: (error) => {
      // unknown fields are to be ignored, as browsers do
      if (error.type === 'max-buffer-size-exceeded') failure = error;
    },
    maxBufferSize: MAX_EVENT_CHARS,
  });
  const text = new TextDecoder();
  for await (const bytes of body) {
    heard();
    parser.feed(text.decode(bytes, { stream: true }));
    if (failure !== undefined) throw failure;
    yield* waiting;
    waiting = [];
  }
}

function parseChunk(data: string): z.infer<typeof Chunk> {
  const json = parseJson(data);
  const failure = failureOf(json);
  if (failure !== undefined) throw new ApiError(failure);
  const chunk = Chunk.safeParse(json);
  if (!chunk.success)
    throw new ApiError(`the controller sent something that is no part of an answer: ${clip(data)}`);
  return chunk.data;
}

async function apiError(response: Response): Promise<ApiError> {
  const text = await response.text();
  const unexplained = `the controller answered HTTP ${response.status}${text === '' ? '' : `: ${clip(text)}`}`;
  return new ApiError(failureOf(parseJson(text)) ?? unexplained);
}

function brokenOff(reason: string): string {
  return `the answer broke off: ${reason}; ask again, or look at \`espalier status\``;
}

function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
