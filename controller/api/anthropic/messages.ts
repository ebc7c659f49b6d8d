// POST /v1/messages in Anthropic's form: chat events out as blocks, whole or as a stream. Translation only.
import type { EspalierError } from '../../../protocol/errors.ts';
import type { ChatEvent, ChatFinish, ChatUsage, ToolCall } from '../../chat-request.ts';
import {
  type AnswerHead,
  type Encoder,
  SSE_TYPE,
  sse,
  type Translation,
  type WholeAnswer,
} from '../dialect.ts';
import { anthropicError } from './error.ts';
import { readMessages } from './messages-request.ts';

/** @throws EspalierError invalid_request */
export function anthropicMessages(body: unknown): Translation {
  const { chat, model, stream } = readMessages(body);
  return {
    chats: [chat],
    count: 1,
    model,
    stream,
    view: undefined,
    whole: ([answer], head) => wholeMessage(answer as WholeAnswer, head),
    encoder: (head) => new BlockEncoder(head),
  };
}

function stopReason(finish: ChatFinish, stopString: string | undefined): string {
  if (stopString !== undefined) return 'stop_sequence';
  if (finish === 'tool-calls') return 'tool_use';
  return finish === 'length' ? 'max_tokens' : 'end_turn';
}

/** Anthropic counts what was reused apart from the rest of the input. */
function usageFields({ promptTokens, cachedTokens, completionTokens }: ChatUsage): object {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
  };
}

function toolUse({ id, name }: ToolCall, input: unknown): object {
  return { type: 'tool_use', id, name, input };
}

function wholeMessage(
  { reasoning, content, calls, finish, stopString, usage }: WholeAnswer,
  head: AnswerHead,
): object {
  const blocks = [
    ...(reasoning === '' ? [] : [{ type: 'thinking', thinking: reasoning, signature: '' }]),
    ...(content === '' ? [] : [{ type: 'text', text: content, citations: null }]),
    ...calls.map((call) => toolUse(call, JSON.parse(call.arguments))),
  ];
  return {
    id: `msg_${head.id}`,
    type: 'message',
    role: 'assistant',
    model: head.model.id,
    content: blocks,
    stop_reason: stopReason(finish, stopString),
    stop_sequence: stopString ?? null,
    usage: usageFields(usage),
  };
}

/** The kinds of blocks that grow. */
type BlockKind = 'thinking' | 'text';

class BlockEncoder implements Encoder {
  readonly contentType = SSE_TYPE;
  readonly #head: AnswerHead;
  /** of the block that is open, or of the next one */
  #index = 0;
  #open: BlockKind | undefined;

  constructor(head: AnswerHead) {
    this.#head = head;
  }

  begin(): string {
    const { id, model, promptTokens } = this.#head;
    const usage = usageFields({ promptTokens, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 });
    const message = {
      ...{ id: `msg_${id}`, type: 'message', role: 'assistant', model: model.id, content: [] },
      ...{ stop_reason: null, stop_sequence: null, usage },
    };
    return event('message_start', { message }) + event('ping');
  }

  event(_choice: number, chat: ChatEvent): string {
    switch (chat.kind) {
      case 'reasoning':
        return this.#grow('thinking', { type: 'thinking_delta', thinking: chat.text });
      case 'content':
        return this.#grow('text', { type: 'text_delta', text: chat.text });
      case 'tool-call':
        return this.#call(chat.call);
      case 'finish': {
        const delta = {
          stop_reason: stopReason(chat.reason, chat.stopString),
          stop_sequence: chat.stopString ?? null,
        };
        return this.#close() + event('message_delta', { delta, usage: usageFields(chat.usage) });
      }
    }
  }

  beat(): string {
    return event('ping');
  }

  fail(error: EspalierError): string {
    return sse(anthropicError(error), 'error');
  }

  end(): string {
    return event('message_stop');
  }

  #grow(kind: BlockKind, delta: object): string {
    const begin = this.#open === kind ? '' : this.#close() + this.#begin(kind);
    return begin + event('content_block_delta', { index: this.#index, delta });
  }

  #begin(kind: BlockKind): string {
    this.#open = kind;
    const block =
      kind === 'thinking' ? { type: kind, thinking: '', signature: '' } : { type: kind, text: '' };
    return event('content_block_start', { index: this.#index, content_block: block });
  }

  #close(): string {
    const kind = this.#open;
    if (!kind) return '';
    this.#open = undefined;
    const index = this.#index++;
    // clients keep a thought only with its signature
    const delta = { type: 'signature_delta', signature: '' };
    const signature = kind === 'thinking' ? event('content_block_delta', { index, delta }) : '';
    return signature + event('content_block_stop', { index });
  }

  #call(call: ToolCall): string {
    const closed = this.#close();
    const index = this.#index++;
    return [
      closed,
      event('content_block_start', { index, content_block: toolUse(call, {}) }),
      event('content_block_delta', {
        index,
        delta: { type: 'input_json_delta', partial_json: call.arguments },
      }),
      event('content_block_stop', { index }),
    ].join('');
  }
}

function event(type: string, fields: object = {}): string {
  return sse({ type, ...fields }, type);
}
