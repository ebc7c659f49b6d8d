// The body of POST /v1/chat/completions, checked and translated to a chat request. Unknown fields are ignored: clients
// send many. Translation only.
import { z } from 'zod';
import { MAX_CHAT_MESSAGES, MAX_CHOICES, MAX_TOP_LOGPROBS } from '../../../protocol/limits.ts';
import type { AnswerFormat, ChatMessage, ChatRequest, ToolChoice } from '../../chat-request.ts';
import { inLane } from '../background.ts';
import { readText } from '../content.ts';
import type { ReasoningView } from '../dialect.ts';
import {
  AnyObject,
  bodyOf,
  Flag,
  given,
  list,
  OptionalText,
  readBody,
  Stop,
  wholeNumber,
} from '../fields.ts';
import { REASONING_FIELDS, wantedView, wantsThinking } from '../reasoning-fields.ts';
import { SAMPLING_FIELDS, samplingOf } from '../sampling-fields.ts';
import { ToolCalls, ToolName, Tools } from '../tool-fields.ts';

/** What the OpenAI dialect needs of a request beside the chat itself. */
export interface OpenAiChat {
  chat: ChatRequest;
  model: string | undefined;
  count: number;
  stream: boolean;
  includeUsage: boolean;
  hasLogprobs: boolean;
  view: ReasoningView | undefined;
}

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'] as const;
const TEXT_TYPES = ['text', 'input_text', 'output_text'];

const Message = z
  .object(
    {
      role: z.enum(ROLES, { error: 'must be system, developer, user, assistant or tool' }),
      content: z.unknown().optional(),
      reasoning_content: z.unknown().optional(),
      reasoning: z.unknown().optional(),
      tool_calls: ToolCalls,
      tool_call_id: OptionalText,
      name: OptionalText,
    },
    { error: 'must be an object with role and content' },
  )
  .transform((message, context): ChatMessage => {
    const { role, content, tool_calls: toolCalls, tool_call_id: toolCallId, name } = message;
    const found = readText(content, TEXT_TYPES, role === 'assistant');
    if (typeof found !== 'string') {
      context.addIssue({ code: 'custom', ...found });
      return z.NEVER;
    }
    if (role === 'developer' || role === 'system') return { role: 'system', content: found };
    if (role === 'user') return { role, content: found };
    if (role === 'assistant') {
      const reasoning = [message.reasoning_content, message.reasoning].find(
        (text) => typeof text === 'string',
      );
      return { role, content: found, reasoning, toolCalls };
    }
    return { role: 'tool', content: found, toolCallId: given(toolCallId), name: given(name) };
  });

const NamedChoice = z.object({ type: z.literal('function'), function: z.object({ name: ToolName }) });

const Choice = z
  .union([z.enum(['none', 'auto', 'required']), NamedChoice], {
    error: 'must be "none", "auto", "required" or {"type": "function", "function": {"name": …}}',
  })
  .nullish()
  .transform((choice): ToolChoice | undefined => (typeof choice === 'object' ? choice?.function : choice));

const FORMAT_ERROR =
  'must be {"type": "text"}, {"type": "json_object"} or {"type": "json_schema", "json_schema": …}';
const Format = z
  .discriminatedUnion(
    'type',
    [
      z.object({ type: z.literal('text') }),
      // llama.cpp's clients put a schema here
      z.object({ type: z.literal('json_object'), schema: AnyObject.nullish() }),
      z.object({ type: z.literal('json_schema'), json_schema: z.object({ schema: AnyObject }) }),
    ],
    { error: FORMAT_ERROR },
  )
  .nullish()
  .transform((format): AnswerFormat | undefined => {
    if (!format || format.type === 'text') return undefined;
    const schema = format.type === 'json_schema' ? format.json_schema.schema : format.schema;
    return schema ? { kind: 'schema', schema } : { kind: 'json' };
  });

export const OpenAiChatBody = bodyOf({
  model: OptionalText,
  messages: list(Message, {
    min: 1,
    max: MAX_CHAT_MESSAGES,
    error: `must be a list of 1 to ${MAX_CHAT_MESSAGES} messages`,
  }),
  max_tokens: wholeNumber(1),
  max_completion_tokens: wholeNumber(1),
  ...SAMPLING_FIELDS,
  ...REASONING_FIELDS,
  stop: Stop,
  stream: Flag,
  stream_options: z.object({ include_usage: Flag }, { error: 'must be an object' }).nullish(),
  n: wholeNumber(1, MAX_CHOICES),
  logprobs: Flag,
  top_logprobs: wholeNumber(0, MAX_TOP_LOGPROBS),
  tools: Tools,
  tool_choice: Choice,
  parallel_tool_calls: Flag,
  response_format: Format,
  service_tier: z.string().nullish().catch(undefined),
});

/**
 * Checks a body and translates it.
 * @throws EspalierError invalid_request; a RequestError that names the field, where there is one
 */
export function readOpenAiChat(body: unknown): OpenAiChat {
  const data = readBody(OpenAiChatBody, body);
  const hasLogprobs = data.logprobs ?? false;
  const chat = {
    messages: data.messages,
    tools: data.tools,
    toolChoice: data.tool_choice,
    parallelCalls: given(data.parallel_tool_calls),
    thinking: wantsThinking(data),
    maxTokens: data.max_completion_tokens ?? data.max_tokens ?? undefined,
    sampling: samplingOf(data, hasLogprobs ? (data.top_logprobs ?? 0) : undefined),
    stop: data.stop ?? [],
    stopIds: given(data.stop_token_ids),
    format: data.response_format,
  };
  return {
    chat: inLane(chat, data.service_tier),
    model: given(data.model),
    count: data.n ?? 1,
    stream: data.stream ?? false,
    includeUsage: data.stream_options?.include_usage ?? false,
    hasLogprobs,
    view: wantedView(data),
  };
}
