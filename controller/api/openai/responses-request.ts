// The body of POST /v1/responses, checked and translated to a chat request. Nothing is stored, so each request brings
// its whole history. Translation only.
import { z } from 'zod';
import { MAX_CHAT_MESSAGES, MAX_TOOLS } from '../../../protocol/limits.ts';
import type { AnswerFormat, ChatMessage, ChatRequest, Tool, ToolChoice } from '../../chat-request.ts';
import { writtenCall } from '../../tools/tool-form.ts';
import { inLane } from '../background.ts';
import { readText } from '../content.ts';
import {
  AnyObject,
  bodyOf,
  Flag,
  given,
  list,
  OptionalText,
  plainText,
  readBody,
  Stop,
  wholeNumber,
} from '../fields.ts';
import { SAMPLING_FIELDS, samplingOf } from '../sampling-fields.ts';
import { NO_PARAMETERS, ToolName } from '../tool-fields.ts';

export interface ResponsesRequest {
  chat: ChatRequest;
  model: string | undefined;
  stream: boolean;
  /** what an answer repeats of its request */
  echoed: { instructions: string | null; tools: readonly Tool[]; max_output_tokens: number | null };
}

const TEXT_TYPES = ['input_text', 'output_text', 'text'];
const ROLES = ['system', 'developer', 'user', 'assistant'] as const;

/** An item of the history; items of kinds that are not known here say nothing to the model. */
const Item = z.looseObject({ type: OptionalText, role: OptionalText }, { error: 'must be an object' });
type Item = z.infer<typeof Item>;
type Wrong = { path: (string | number)[]; message: string };

const Input = z
  .union([z.string(), list(Item, { max: MAX_CHAT_MESSAGES, error: 'must be a text or a list of items' })], {
    error: 'must be a text or a list of items',
  })
  .transform((input, context): ChatMessage[] => {
    if (typeof input === 'string') return [{ role: 'user', content: input }];
    const messages: ChatMessage[] = [];
    for (const [index, item] of input.entries()) {
      const read = readItem(item);
      if (read && 'message' in read) {
        context.addIssue({ code: 'custom', path: [index, ...read.path], message: read.message });
        return z.NEVER;
      }
      if (read) add(messages, read);
    }
    return messages;
  });

function readItem(item: Item): ChatMessage | Wrong | undefined {
  switch (item.type) {
    case 'message':
    case null:
    case undefined:
      return readMessage(item);
    case 'function_call': {
      const call = writtenCall(item.name, item.arguments === '' ? {} : item.arguments);
      if (!call) return { path: ['arguments'], message: 'must be the JSON text of an object, beside a name' };
      return { role: 'assistant', content: '', toolCalls: [{ id: plainText(item.call_id), ...call }] };
    }
    case 'function_call_output': {
      const content = readText(item.output, TEXT_TYPES, false);
      if (typeof content !== 'string')
        return { path: ['output', ...content.path.slice(1)], message: content.message };
      return { role: 'tool', content, toolCallId: plainText(item.call_id) };
    }
    case 'reasoning': {
      const reasoning = readText(item.content ?? item.summary, ['reasoning_text', 'summary_text'], true);
      return typeof reasoning === 'string' && reasoning !== ''
        ? { role: 'assistant', content: '', reasoning }
        : undefined;
    }
    default:
      return undefined;
  }
}

function readMessage({ role, content }: Item): ChatMessage | Wrong {
  const known = ROLES.find((name) => name === role);
  if (!known) return { path: ['role'], message: 'must be system, developer, user or assistant' };
  const found = readText(content, TEXT_TYPES, known === 'assistant');
  return typeof found === 'string'
    ? { role: known === 'developer' ? 'system' : known, content: found }
    : found;
}

/** Reasoning, text and calls of one turn are items of their own here, and one message to a template. */
function add(messages: ChatMessage[], message: ChatMessage): void {
  const last = messages.at(-1);
  const isSameTurn =
    last?.role === 'assistant' && message.role === 'assistant' && message.reasoning === undefined;
  if (!last || !isSameTurn || (message.content !== '' && last.toolCalls?.length)) {
    messages.push(message);
    return;
  }
  messages[messages.length - 1] = {
    ...last,
    content: [last.content, message.content].filter((text) => text !== '').join('\n'),
    toolCalls: [...(last.toolCalls ?? []), ...(message.toolCalls ?? [])],
  };
}

/** Tools of other types are run by OpenAI's servers or need a model that was taught them: they are left out. */
const AnyTool = z
  .looseObject({ type: OptionalText }, { error: 'must be an object with a type' })
  .transform((tool, context): Tool | undefined => {
    if (tool.type !== 'function') return undefined;
    const read = FunctionTool.safeParse(tool);
    if (read.success) {
      const { name, description, parameters } = read.data;
      return { name, description: given(description), parameters: parameters ?? NO_PARAMETERS };
    }
    for (const { path, message } of read.error.issues) context.addIssue({ code: 'custom', path, message });
    return z.NEVER;
  });
const FunctionTool = z.object({
  name: ToolName,
  description: OptionalText,
  parameters: AnyObject.nullish(),
});
const Tools = list(AnyTool, { max: MAX_TOOLS, error: `must be a list of at most ${MAX_TOOLS} tools` })
  .nullish()
  .transform((tools) => (tools ?? []).filter((tool) => tool !== undefined));

const Choice = z
  .union([z.enum(['none', 'auto', 'required']), z.looseObject({ type: z.string(), name: OptionalText })], {
    error: 'must be "none", "auto", "required" or {"type": "function", "name": …}',
  })
  .nullish()
  .transform((choice): ToolChoice | undefined => {
    if (typeof choice !== 'object' || choice === null) return given(choice);
    return choice.type === 'function' && choice.name ? { name: choice.name } : 'auto';
  });

const Format = z
  .looseObject({ type: z.string(), schema: AnyObject.nullish() })
  .nullish()
  .transform((format): AnswerFormat | undefined => {
    if (format?.type === 'json_object') return { kind: 'json' };
    return format?.type === 'json_schema' && format.schema
      ? { kind: 'schema', schema: format.schema }
      : undefined;
  });

export const ResponsesBody = bodyOf({
  model: OptionalText,
  input: Input,
  instructions: OptionalText,
  max_output_tokens: wholeNumber(1),
  ...SAMPLING_FIELDS,
  stop: Stop,
  stream: Flag,
  reasoning: z.looseObject({ effort: z.string().nullish() }).nullish().catch(undefined),
  text: z.looseObject({ format: Format }).nullish(),
  tools: Tools,
  tool_choice: Choice,
  parallel_tool_calls: Flag,
  previous_response_id: z
    .null({ error: 'answers are not stored here: send the whole conversation as input' })
    .optional(),
  background: z.literal(false, { error: 'answers are not stored here: leave it out' }).nullish(),
  service_tier: z.string().nullish().catch(undefined),
});

/** @throws EspalierError invalid_request */
export function readResponses(body: unknown): ResponsesRequest {
  const data = readBody(ResponsesBody, body);
  const { instructions } = data;
  const system: ChatMessage[] = instructions ? [{ role: 'system', content: instructions }] : [];
  const chat = {
    messages: [...system, ...data.input],
    tools: data.tools,
    toolChoice: data.tool_choice,
    parallelCalls: given(data.parallel_tool_calls),
    thinking: data.reasoning?.effort ? data.reasoning.effort !== 'none' : undefined,
    maxTokens: given(data.max_output_tokens),
    sampling: samplingOf(data),
    stop: data.stop ?? [],
    stopIds: given(data.stop_token_ids),
    format: data.text?.format,
  };
  return {
    chat: inLane(chat, data.service_tier),
    model: given(data.model),
    stream: data.stream ?? false,
    echoed: {
      instructions: instructions ?? null,
      tools: data.tools,
      max_output_tokens: data.max_output_tokens ?? null,
    },
  };
}
