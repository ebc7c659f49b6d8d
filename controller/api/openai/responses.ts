// POST /v1/responses in OpenAI's newer form: an answer is a list of items, and a stream tells how each of them grows.
// Translation only.
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
import { openAiError } from './error.ts';
import { type ResponsesRequest, readResponses } from './responses-request.ts';

/** @throws EspalierError invalid_request */
export function openAiResponses(body: unknown): Translation {
  const wanted = readResponses(body);
  return {
    chats: [wanted.chat],
    count: 1,
    model: wanted.model,
    stream: wanted.stream,
    view: undefined,
    whole: ([answer], head) => wholeResponse(answer as WholeAnswer, head, wanted),
    encoder: (head) => new ItemEncoder(head, wanted),
  };
}

type Status = 'in_progress' | 'completed' | 'incomplete' | 'failed';
type Item = { type: string; id: string } & Record<string, unknown>;

function reasoningItem(id: string, text: string): Item {
  return {
    type: 'reasoning',
    id,
    summary: [],
    content: [{ type: 'reasoning_text', text }],
    encrypted_content: null,
  };
}

function textPart(text: string): object {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

function messageItem(id: string, text: string, status: Status): Item {
  return { type: 'message', id, role: 'assistant', status, content: [textPart(text)] };
}

function callItem(id: string, { id: callId, name, arguments: given }: ToolCall, status: Status): Item {
  return { type: 'function_call', id, call_id: callId, name, arguments: given, status };
}

function usageFields({ promptTokens, cachedTokens, completionTokens, reasoningTokens }: ChatUsage): object {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: promptTokens + completionTokens,
  };
}

interface ResponseState {
  status: Status;
  output: readonly Item[];
  usage?: ChatUsage | undefined;
  error?: object | undefined;
}

function responseFields(head: AnswerHead, { echoed }: ResponsesRequest, state: ResponseState): object {
  const { status, output, usage, error } = state;
  const text = output.flatMap(({ type, content }) =>
    type === 'message' ? (content as { text: string }[]).map((part) => part.text) : [],
  );
  return {
    id: `resp_${head.id}`,
    object: 'response',
    created_at: head.created,
    status,
    model: head.model.id,
    output,
    output_text: text.join(''),
    usage: usage ? usageFields(usage) : null,
    error: error ?? null,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions: echoed.instructions,
    max_output_tokens: echoed.max_output_tokens,
    tools: echoed.tools.map(({ name, description, parameters }) => {
      return { type: 'function', name, description: description ?? null, parameters, strict: false };
    }),
    tool_choice: 'auto',
    parallel_tool_calls: true,
    previous_response_id: null,
    store: false,
    temperature: null,
    top_p: null,
    truncation: 'disabled',
    metadata: {},
  };
}

function finalStatus(finish: ChatFinish): Status {
  return finish === 'length' ? 'incomplete' : 'completed';
}

function wholeResponse(answer: WholeAnswer, head: AnswerHead, wanted: ResponsesRequest): object {
  const { reasoning, content, calls, finish, usage } = answer;
  const status = finalStatus(finish);
  const output = [
    ...(reasoning === '' ? [] : [reasoningItem(`rs_${head.id}`, reasoning)]),
    ...(content === '' ? [] : [messageItem(`msg_${head.id}`, content, status)]),
    ...calls.map((call, index) => callItem(`fc_${head.id}_${index}`, call, 'completed')),
  ];
  return responseFields(head, wanted, { status, output, usage });
}

/** The item that grows. */
interface OpenItem {
  kind: 'reasoning' | 'content';
  id: string;
  text: string;
}

class ItemEncoder implements Encoder {
  readonly contentType = SSE_TYPE;
  readonly #head: AnswerHead;
  readonly #wanted: ResponsesRequest;
  readonly #output: Item[] = [];
  #open: OpenItem | undefined;
  #sequence = 0;

  constructor(head: AnswerHead, wanted: ResponsesRequest) {
    this.#head = head;
    this.#wanted = wanted;
  }

  begin(): string {
    return (
      this.#state('response.created', 'in_progress') + this.#state('response.in_progress', 'in_progress')
    );
  }

  event(_choice: number, event: ChatEvent): string {
    switch (event.kind) {
      case 'reasoning':
      case 'content':
        return this.#grow(event.kind, event.text);
      case 'tool-call':
        return this.#close('completed') + this.#call(event.call);
      case 'finish': {
        const status = finalStatus(event.reason);
        return this.#close(status) + this.#state(`response.${status}`, status, event.usage);
      }
    }
  }

  /** A real event: Codex counts comments as silence. */
  beat(): string {
    return this.#state('response.in_progress', 'in_progress');
  }

  fail(error: EspalierError): string {
    const { message, code } = openAiError(error).error;
    return this.#state('response.failed', 'failed', undefined, { code, message });
  }

  end(): string {
    return '';
  }

  #grow(kind: OpenItem['kind'], delta: string): string {
    const begin = this.#open?.kind === kind ? '' : this.#close('completed') + this.#begin(kind);
    const open = this.#open as OpenItem;
    open.text += delta;
    const type = kind === 'reasoning' ? 'response.reasoning_text.delta' : 'response.output_text.delta';
    const logprobs = kind === 'content' ? { logprobs: [] } : {};
    return begin + this.#event(type, { ...this.#place(open), delta, ...logprobs });
  }

  #begin(kind: OpenItem['kind']): string {
    const id = `${kind === 'reasoning' ? 'rs' : 'msg'}_${this.#head.id}_${this.#output.length}`;
    const open: OpenItem = { kind, id, text: '' };
    this.#open = open;
    const item =
      kind === 'reasoning'
        ? { type: 'reasoning', id, summary: [], content: [], encrypted_content: null }
        : { type: 'message', id, role: 'assistant', status: 'in_progress', content: [] };
    const added = this.#event('response.output_item.added', { output_index: this.#output.length, item });
    const part = kind === 'reasoning' ? { type: 'reasoning_text', text: '' } : textPart('');
    return added + this.#event('response.content_part.added', { ...this.#place(open), part });
  }

  #close(status: Status): string {
    const open = this.#open;
    if (!open) return '';
    this.#open = undefined;
    const { kind, id, text } = open;
    const place = this.#place(open);
    const isText = kind === 'content';
    const item = isText ? messageItem(id, text, status) : reasoningItem(id, text);
    const done = isText ? 'response.output_text.done' : 'response.reasoning_text.done';
    const part = isText ? textPart(text) : { type: 'reasoning_text', text };
    return [
      this.#event(done, { ...place, text, ...(isText && { logprobs: [] }) }),
      this.#event('response.content_part.done', { ...place, part }),
      this.#done(item),
    ].join('');
  }

  #call(call: ToolCall): string {
    const output_index = this.#output.length;
    const item_id = `fc_${this.#head.id}_${output_index}`;
    const begun = callItem(item_id, { ...call, arguments: '' }, 'in_progress');
    const at = { item_id, output_index };
    return [
      this.#event('response.output_item.added', { output_index, item: begun }),
      this.#event('response.function_call_arguments.delta', { ...at, delta: call.arguments }),
      this.#event('response.function_call_arguments.done', {
        ...at,
        name: call.name,
        arguments: call.arguments,
      }),
      this.#done(callItem(item_id, call, 'completed')),
    ].join('');
  }

  #done(item: Item): string {
    const output_index = this.#output.length;
    this.#output.push(item);
    return this.#event('response.output_item.done', { output_index, item });
  }

  #place({ id }: OpenItem): object {
    return { item_id: id, output_index: this.#output.length, content_index: 0 };
  }

  #state(type: string, status: Status, usage?: ChatUsage, error?: object): string {
    const state = { status, output: this.#output, usage, error };
    return this.#event(type, { response: responseFields(this.#head, this.#wanted, state) });
  }

  #event(type: string, fields: object): string {
    return sse({ type, sequence_number: this.#sequence++, ...fields }, type);
  }
}
