// The body of POST /v1/messages, checked and translated to a chat request. Translation only.
import { z } from 'zod';
import { MAX_CHAT_MESSAGES, MAX_TOOLS } from '../../../protocol/limits.ts';
import type {
  AnswerFormat,
  ChatMessage,
  ChatRequest,
  Tool,
  ToolCall,
  ToolChoice,
} from '../../chat-request.ts';
import { inLane } from '../background.ts';
import { readText } from '../content.ts';
import {
  AnyObject,
  bodyOf,
  Flag,
  given,
  list,
  numberBetween,
  OptionalText,
  plainText,
  readBody,
  Stop,
  wholeNumber,
} from '../fields.ts';
import { NO_PARAMETERS, ToolName } from '../tool-fields.ts';

export interface AnthropicRequest {
  chat: ChatRequest;
  model: string | undefined;
  stream: boolean;
}

/** Claude Code puts a block before its system text that differs each time: it would spoil the reuse of the prompt's KV. */
const BILLING_HEADER = 'x-anthropic-billing-header:';

const Block = z.looseObject(
  { type: z.string({ error: 'must be a text' }) },
  { error: 'must be an object with a type' },
);
type Block = z.infer<typeof Block>;

const Blocks = list(Block, { max: MAX_CHAT_MESSAGES, error: 'must be a text or a list of blocks' });
const Content = z.union([z.string(), Blocks], { error: 'must be a text or a list of blocks' });

const Message = z
  .object(
    {
      role: z.enum(['user', 'assistant', 'system'], { error: 'must be user or assistant' }),
      content: Content,
    },
    { error: 'must be an object with role and content' },
  )
  .transform(({ role, content }, context): ChatMessage[] => {
    if (typeof content === 'string') return [{ role, content }];
    const messages = role === 'assistant' ? [saidBy(content)] : toldTo(role, content);
    const wrong = messages.find((message) => 'message' in message);
    if (!wrong) return messages as ChatMessage[];
    context.addIssue({ code: 'custom', ...(wrong as Wrong) });
    return z.NEVER;
  });

interface Wrong {
  path: (string | number)[];
  message: string;
}

/** Text, thoughts and calls of tools are one message. */
function saidBy(blocks: readonly Block[]): ChatMessage | Wrong {
  const texts: string[] = [];
  const thoughts: string[] = [];
  const toolCalls: ToolCall[] = [];
  for (const [index, block] of blocks.entries()) {
    if (block.type === 'text') texts.push(plainText(block.text));
    else if (block.type === 'thinking') thoughts.push(plainText(block.thinking));
    else if (block.type === 'tool_use') {
      const { id, name, input } = block;
      const isObject = typeof input === 'object' && input !== null && !Array.isArray(input);
      if (typeof id !== 'string' || typeof name !== 'string' || !isObject) {
        return { path: ['content', index], message: 'must have an id, a name and an object as input' };
      }
      toolCalls.push({ id, name, arguments: JSON.stringify(input) });
    } else if (block.type !== 'redacted_thinking') return unreadable(index, block);
  }
  const reasoning = thoughts.length > 0 ? thoughts.join('\n') : undefined;
  return { role: 'assistant', content: texts.join('\n'), reasoning, toolCalls };
}

/** Each result of a tool is a message of its own; the texts around them are one. */
function toldTo(role: 'user' | 'system', blocks: readonly Block[]): (ChatMessage | Wrong)[] {
  const messages: (ChatMessage | Wrong)[] = [];
  const texts: string[] = [];
  for (const [index, block] of blocks.entries()) {
    if (block.type === 'text') texts.push(plainText(block.text));
    else if (block.type === 'tool_result') {
      const { tool_use_id: toolCallId, is_error } = block;
      const result = readText(block.content, ['text'], true);
      if (typeof result !== 'string') {
        messages.push({ path: ['content', index, ...result.path], message: result.message });
      } else {
        const content = is_error === true ? `Error: ${result}` : result;
        messages.push({ role: 'tool', content, toolCallId: plainText(toolCallId) });
      }
    } else messages.push(unreadable(index, block));
  }
  if (texts.length > 0 || messages.length === 0) messages.push({ role, content: texts.join('\n') });
  return messages;
}

function unreadable(index: number, { type }: Block): Wrong {
  return {
    path: ['content', index],
    message: `a block of type "${type.slice(0, 50)}" cannot be read by this model`,
  };
}

const System = Content.nullish().transform((system): ChatMessage[] => {
  const texts = typeof system === 'string' ? [system] : (system ?? []).map(({ text }) => plainText(text));
  const kept = texts.filter((text) => text !== '' && !text.startsWith(BILLING_HEADER));
  return kept.length > 0 ? [{ role: 'system', content: kept.join('\n\n') }] : [];
});

/** Tools that Anthropic's own servers run have a type: nobody runs them here, so the model is not told of them. */
const Tools = list(
  z.looseObject({
    type: OptionalText,
    name: ToolName,
    description: OptionalText,
    input_schema: AnyObject.nullish(),
  }),
  { max: MAX_TOOLS, error: `must be a list of at most ${MAX_TOOLS} tools` },
)
  .nullish()
  .transform((tools): Tool[] =>
    (tools ?? [])
      .filter(({ type }) => !type || type === 'custom')
      .map(({ name, description, input_schema }) => ({
        name,
        description: given(description),
        parameters: input_schema ?? NO_PARAMETERS,
      })),
  );

const Choice = z
  .discriminatedUnion(
    'type',
    [
      z.object({ type: z.literal('auto') }),
      z.object({ type: z.literal('any'), disable_parallel_tool_use: Flag }),
      z.object({ type: z.literal('none') }),
      z.object({ type: z.literal('tool'), name: ToolName }),
    ],
    { error: 'must have the type "auto", "any", "none" or "tool"' },
  )
  .nullish()
  .transform((choice): { toolChoice?: ToolChoice; parallelCalls?: boolean } => {
    if (!choice) return {};
    if (choice.type === 'tool') return { toolChoice: { name: choice.name } };
    if (choice.type !== 'any') return { toolChoice: choice.type };
    return { toolChoice: 'required', parallelCalls: choice.disable_parallel_tool_use !== true };
  });

const Format = z
  .looseObject({ type: z.string(), schema: AnyObject.nullish() })
  .nullish()
  .transform((format): AnswerFormat | undefined =>
    format?.type === 'json_schema' && format.schema ? { kind: 'schema', schema: format.schema } : undefined,
  );

const CONVERSATION_FIELDS = {
  model: OptionalText,
  system: System,
  messages: list(Message, {
    min: 1,
    max: MAX_CHAT_MESSAGES,
    error: `must be a list of 1 to ${MAX_CHAT_MESSAGES} messages`,
  }),
  tools: Tools,
  tool_choice: Choice,
  thinking: z.looseObject({ type: z.string().nullish() }).nullish().catch(undefined),
};

export const CountBody = bodyOf(CONVERSATION_FIELDS);

export const MessagesBody = bodyOf({
  ...CONVERSATION_FIELDS,
  max_tokens: wholeNumber(1),
  temperature: numberBetween(0, 1),
  top_p: numberBetween(0, 1),
  top_k: wholeNumber(0),
  stop_sequences: Stop,
  stream: Flag,
  output_format: Format,
  output_config: z.looseObject({ format: Format }).nullish(),
  service_tier: z.string().nullish().catch(undefined),
});

/** @throws EspalierError invalid_request */
export function readMessages(body: unknown): AnthropicRequest {
  const data = readBody(MessagesBody, body);
  const { temperature, top_p, top_k } = data;
  const chat = {
    ...conversation(data),
    maxTokens: given(data.max_tokens),
    sampling: {
      temperature: given(temperature),
      topP: top_p === 0 ? 1e-9 : given(top_p),
      topK: given(top_k),
    },
    stop: data.stop_sequences ?? [],
    format: data.output_config?.format ?? data.output_format,
  };
  return { chat: inLane(chat, data.service_tier), model: given(data.model), stream: data.stream ?? false };
}

/** What count_tokens needs of a body. @throws EspalierError invalid_request */
export function readCount(body: unknown): AnthropicRequest {
  const data = readBody(CountBody, body);
  return { chat: inLane(conversation(data)), model: given(data.model), stream: false };
}

function conversation(data: z.infer<typeof CountBody>) {
  const { system, messages, tools, tool_choice: choice, thinking } = data;
  return {
    messages: [...system, ...messages.flat()],
    tools,
    ...choice,
    thinking: thinking?.type === 'disabled' ? false : thinking?.type ? true : undefined,
  };
}
