// Ollama's answers to /api/chat and /api/generate: one JSON object, or one a line. Translation only.
import type { EspalierError } from '../../../protocol/errors.ts';
import type { ChatEvent, ChatFinish, ChatUsage, ToolCall } from '../../chat-request.ts';
import type { AnswerHead, Encoder, Translation, WholeAnswer } from '../dialect.ts';
import { ollamaError } from './error.ts';
import { type OllamaRequest, readOllamaChat, readOllamaGenerate } from './request.ts';

type Texts = { content: string; thinking: string; calls: readonly ToolCall[] };

/** Where the texts of an answer stand: in a message, or in fields of their own. */
type Placing = (texts: Partial<Texts>) => object;

const inMessage: Placing = ({ content = '', thinking = '', calls = [] }) => ({
  message: {
    role: 'assistant',
    content,
    ...(thinking !== '' && { thinking }),
    ...(calls.length > 0 && { tool_calls: calls.map(callFields) }),
  },
});

const inFields: Placing = ({ content = '', thinking = '' }) => ({
  response: content,
  ...(thinking !== '' && { thinking }),
});

/** Ollama gives arguments as an object. */
function callFields({ id, name, arguments: given }: ToolCall, index: number): object {
  return { id, function: { index, name, arguments: JSON.parse(given) } };
}

/** A request for the model to be loaded, which it is. */
export interface LoadOnly {
  loads: string | undefined;
  answer(modelId: string): object;
}

/** @throws EspalierError invalid_request */
export function ollamaChat(body: unknown): Translation | LoadOnly {
  return translation(readOllamaChat(body), inMessage);
}

/** @throws EspalierError invalid_request */
export function ollamaGenerate(body: unknown): Translation | LoadOnly {
  return translation(readOllamaGenerate(body), inFields);
}

function translation({ chat, model, stream }: OllamaRequest, place: Placing): Translation | LoadOnly {
  if (!chat) {
    const answer = (modelId: string) => ({
      ...opening(modelId),
      ...place({}),
      done: true,
      done_reason: 'load',
    });
    return { loads: model, answer };
  }
  return {
    chats: [chat],
    count: 1,
    model,
    stream,
    view: undefined,
    whole: ([whole], head) => {
      const {
        content,
        reasoning: thinking,
        calls,
        finish,
        usage,
        firstAtMs,
        lastAtMs,
      } = whole as WholeAnswer;
      const texts = place({ content, thinking, calls });
      return { ...opening(head.model.id), ...texts, ...ending(finish, usage, { head, firstAtMs, lastAtMs }) };
    },
    encoder: (head) => new LineEncoder(head, place),
  };
}

function opening(model: string): object {
  return { model, created_at: new Date().toISOString() };
}

interface Times {
  head: AnswerHead;
  firstAtMs: number;
  lastAtMs: number;
}

/** Durations in nanoseconds, as measured here. */
function ending(finish: ChatFinish, usage: ChatUsage, { head, firstAtMs, lastAtMs }: Times): object {
  const nanoseconds = (ms: number) => Math.max(0, Math.round(ms * 1e6));
  return {
    done: true,
    done_reason: finish === 'length' ? 'length' : 'stop',
    total_duration: nanoseconds(lastAtMs - head.startedAtMs),
    load_duration: 0,
    prompt_eval_count: usage.promptTokens,
    prompt_eval_duration: nanoseconds(firstAtMs - head.startedAtMs),
    eval_count: usage.completionTokens,
    eval_duration: nanoseconds(lastAtMs - firstAtMs),
  };
}

class LineEncoder implements Encoder {
  readonly contentType = 'application/x-ndjson';
  readonly #head: AnswerHead;
  readonly #place: Placing;
  #firstAtMs: number | undefined;

  constructor(head: AnswerHead, place: Placing) {
    this.#head = head;
    this.#place = place;
  }

  begin(): string {
    return '';
  }

  /** Nothing is said in the last line but how it ended: Home Assistant does not read its text. */
  event(_choice: number, event: ChatEvent): string {
    const nowMs = performance.now();
    this.#firstAtMs ??= nowMs;
    switch (event.kind) {
      case 'reasoning':
        return this.#line({ thinking: event.text });
      case 'content':
        return this.#line({ content: event.text });
      case 'tool-call':
        return this.#line({ calls: [event.call] });
      case 'finish': {
        const times = { head: this.#head, firstAtMs: this.#firstAtMs, lastAtMs: nowMs };
        return this.#line({}, ending(event.reason, event.usage, times));
      }
    }
  }

  /** There are no comments in this form: a line that adds nothing. */
  beat(): string {
    return this.#line({});
  }

  fail(error: EspalierError): string {
    return `${JSON.stringify(ollamaError(error))}\n`;
  }

  end(): string {
    return '';
  }

  #line(texts: Partial<Texts>, more: object = { done: false }): string {
    return `${JSON.stringify({ ...opening(this.#head.model.id), ...this.#place(texts), ...more })}\n`;
  }
}
