// POST /v1/chat/completions in OpenAI's form: chat events out as chunks or as one answer. Translation only.
import type { EspalierError } from '../../../protocol/errors.ts';
import type { ChatEvent, ChatUsage } from '../../chat-request.ts';
import {
  type AnswerHead,
  type Encoder,
  SSE_TYPE,
  sse,
  type Translation,
  type WholeAnswer,
} from '../dialect.ts';
import { type OpenAiChat, readOpenAiChat } from './chat-request.ts';
import { openAiError } from './error.ts';
import { callFields, commentBeat, finishReason, logprobEntries, usageFields } from './shared.ts';

/** @throws EspalierError invalid_request */
export function openAiChat(body: unknown): Translation {
  const wanted = readOpenAiChat(body);
  const { chat, count, model, stream, view } = wanted;
  return {
    chats: [chat],
    count,
    model,
    stream,
    view,
    whole: (answers, head) => wholeAnswer(answers, head, wanted),
    encoder: (head) => new ChunkEncoder(head, wanted),
  };
}

/** What all chunks of an answer, or the one answer, begin with. */
function opening({ id, created, model }: AnswerHead): object {
  return { id: `chatcmpl-${id}`, created, model: model.id, system_fingerprint: null };
}

class ChunkEncoder implements Encoder {
  readonly contentType = SSE_TYPE;
  readonly #head: AnswerHead;
  readonly #opening: object;
  readonly #wanted: OpenAiChat;
  readonly #begun = new Set<number>();
  readonly #usages: ChatUsage[] = [];

  constructor(head: AnswerHead, wanted: OpenAiChat) {
    this.#head = head;
    this.#opening = opening(head);
    this.#wanted = wanted;
  }

  begin(): string {
    return '';
  }

  event(choice: number, event: ChatEvent): string {
    const isFirst = !this.#begun.has(choice);
    this.#begun.add(choice);
    const first = isFirst ? this.#delta(choice, { role: 'assistant', content: '' }) : '';
    return first + this.#event(choice, event);
  }

  beat(ahead: number | undefined): string {
    return commentBeat(ahead);
  }

  fail(error: EspalierError): string {
    return sse(openAiError(error));
  }

  end(): string {
    const usage = this.#wanted.includeUsage ? this.#chunk([], usageFields(this.#usages)) : '';
    return `${usage}data: [DONE]\n\n`;
  }

  #event(choice: number, event: ChatEvent): string {
    switch (event.kind) {
      case 'reasoning':
        return this.#delta(choice, { reasoning_content: event.text });
      case 'content': {
        const tokens = event.tokens && {
          content: logprobEntries(event.tokens, this.#head.model),
          refusal: null,
        };
        return this.#delta(choice, { content: event.text }, null, tokens);
      }
      case 'tool-call':
        return this.#delta(choice, { tool_calls: [{ index: event.index, ...callFields(event.call) }] });
      case 'finish':
        this.#usages.push(event.usage);
        return this.#delta(choice, {}, finishReason(event.reason));
    }
  }

  #delta(index: number, delta: object, finish: string | null = null, logprobs: object | null = null): string {
    return this.#chunk([{ index, delta, logprobs, finish_reason: finish }]);
  }

  #chunk(choices: object[], usage: object | null = null): string {
    const told = this.#wanted.includeUsage ? { usage } : {};
    return sse({ ...this.#opening, object: 'chat.completion.chunk', choices, ...told });
  }
}

function wholeAnswer(answers: readonly WholeAnswer[], head: AnswerHead, { hasLogprobs }: OpenAiChat): object {
  return {
    ...opening(head),
    object: 'chat.completion',
    choices: answers.map((answer, index) => ({
      index,
      message: message(answer),
      logprobs: hasLogprobs ? { content: logprobEntries(answer.tokens, head.model), refusal: null } : null,
      finish_reason: finishReason(answer.finish),
    })),
    usage: usageFields(answers.map(({ usage }) => usage)),
  };
}

function message({ content, reasoning, calls }: WholeAnswer): object {
  return {
    role: 'assistant',
    content: content === '' && calls.length > 0 ? null : content,
    reasoning_content: reasoning === '' ? null : reasoning,
    refusal: null,
    ...(calls.length > 0 && { tool_calls: calls.map(callFields) }),
  };
}
