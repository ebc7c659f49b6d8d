// What the dashboard asks of a controller beside the status stream: the history, an operator's wishes, a question to the
// model. With client.ts the only file here that knows a URL; all of it is the public API.
import { z } from 'zod';
import { credentialHeaders } from '../protocol/credential.ts';
import { EspalierError, isErrorCode } from '../protocol/errors.ts';
import { ClusterHistory, HISTORY_PATH } from '../protocol/history.ts';
import { MAX_HISTORY_BYTES } from '../protocol/limits.ts';
import { cancelPath, drainPath, OperationAnswer, undrainPath } from '../protocol/operations.ts';
import { PAIRING_PATH, PairedAnswer } from '../protocol/pairing.ts';
import { unreachable } from './client.ts';
import type { Wish } from './ui.ts';

const ANSWER_TIMEOUT_MS = 5_000;
/** SRP on both ends, over a network that may be bad: longer than the conversation itself may take. */
const PAIRING_TIMEOUT_MS = 30_000;
/** The API says something at least every ten seconds. */
const SILENCE_MS = 60_000;
/** A line of the answer holds a few tokens: more without a line break is none. */
const MAX_LINE_CHARS = 1_000_000;
const CHAT_PATH = '/api/chat';
const USER_AGENT = 'espalier-dashboard';

/** @throws EspalierError controller_unreachable where there is none, or where it is not understood */
export async function fetchHistory(controllerUrl: string, signal: AbortSignal): Promise<ClusterHistory> {
  const response = await call(controllerUrl, HISTORY_PATH, undefined, signal);
  const text = await limitedText(response);
  const history = ClusterHistory.safeParse(text === undefined ? undefined : parsed(text));
  if (history.success) return history.data;
  throw new EspalierError(
    'controller_unreachable',
    `${controllerUrl} answers with a history of another form`,
  );
}

/**
 * Has a wish fulfilled.
 * @returns what will happen, in words
 * @throws EspalierError not_found, forbidden, unauthorized, controller_unreachable
 */
export async function fulfil(controllerUrl: string, wish: Wish, signal: AbortSignal): Promise<string> {
  if (wish.kind === 'pair') return letIn(controllerUrl, wish, signal);
  const { path, body } = requestOf(wish);
  const response = await call(controllerUrl, path, body, signal);
  return OperationAnswer.parse(await response.json()).text;
}

async function letIn(
  controllerUrl: string,
  { nodeId, code }: Wish & { kind: 'pair' },
  signal: AbortSignal,
): Promise<string> {
  const body = { node: nodeId, code };
  const response = await call(controllerUrl, PAIRING_PATH, body, signal, PAIRING_TIMEOUT_MS);
  const { node } = PairedAnswer.parse(await response.json());
  return `${node.name} is paired, and takes its place in the next plan`;
}

function requestOf(wish: Exclude<Wish, { kind: 'pair' }>): { path: string; body: object } {
  switch (wish.kind) {
    case 'cancel':
      return { path: cancelPath(wish.requestId), body: {} };
    case 'drain':
      return { path: drainPath(wish.nodeId), body: { now: wish.now } };
    case 'undrain':
      return { path: undrainPath(wish.nodeId), body: {} };
  }
}

/** @returns undefined where it is longer than any history */
async function limitedText(response: Response): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > MAX_HISTORY_BYTES) return undefined;
  }
  return text;
}

/** @returns undefined where it is no JSON: what answers is no controller, or stands before it */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A line of an answer: Ollama's form, which needs no parser of event streams. */
const AnswerLine = z.object({
  message: z.object({ content: z.string().default(''), thinking: z.string().default('') }).optional(),
  error: z.string().optional(),
});

export interface AnswerPiece {
  thinking: string;
  answer: string;
}

/**
 * Asks the model, and yields the answer as it comes.
 * @throws EspalierError with the API's own words; the signal's reason when it aborts
 */
export async function* ask(
  controllerUrl: string,
  question: { model: string; text: string },
  signal: AbortSignal,
): AsyncGenerator<AnswerPiece> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const body = {
      model: question.model,
      messages: [{ role: 'user', content: question.text }],
      stream: true,
    };
    const either = AbortSignal.any([signal, silence.signal]);
    const response = await call(controllerUrl, CHAT_PATH, body, either, SILENCE_MS);
    for await (const line of linesOf(response.body, () => timer.refresh())) {
      const { message, error } = AnswerLine.parse(JSON.parse(line));
      if (error !== undefined) throw new EspalierError('engine_failed', error);
      if (message && (message.content !== '' || message.thinking !== ''))
        yield { thinking: message.thinking, answer: message.content };
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof EspalierError ? error : unreachable(controllerUrl, error);
  } finally {
    clearTimeout(timer);
  }
}

async function* linesOf(body: ReadableStream<Uint8Array> | null, heard: () => void): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body ?? []) {
    heard();
    rest += decoder.decode(bytes, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARS) throw new EspalierError('internal', 'a line of the answer has no end');
    yield* lines.filter((line) => line.trim() !== '');
  }
  if (rest.trim() !== '') yield rest;
}

/** @param body JSON to post; undefined to get */
async function call(
  controllerUrl: string,
  path: string,
  body: object | undefined,
  signal: AbortSignal,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<Response> {
  // an answer may take long: only its beginning has a deadline
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeoutMs);
  let response: Response;
  try {
    response = await fetch(new URL(path, controllerUrl), {
      signal: AbortSignal.any([signal, late.signal]),
      headers: {
        ...credentialHeaders(controllerUrl),
        'user-agent': USER_AGENT,
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw unreachable(controllerUrl, error);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return response;
  throw refusalOf(await response.text(), response.status);
}

/** The API's own words, with the way out: `{error: {code, message}}`, or `{error}` in Ollama's form. */
const Refusal = z.object({
  error: z.union([z.string(), z.object({ message: z.string(), code: z.string().nullish() })]),
});

function refusalOf(text: string, status: number): EspalierError {
  const told = Refusal.safeParse(parsed(text));
  if (!told.success) return new EspalierError('controller_unreachable', `it answers HTTP ${status}`);
  const { error } = told.data;
  if (typeof error === 'string') return new EspalierError('engine_failed', error);
  const code = error.code != null && isErrorCode(error.code) ? error.code : 'internal';
  return new EspalierError(code, error.message);
}
