// The bodies of Ollama's POST /api/chat and /api/generate, checked and translated to a chat request. Translation only.
import { z } from 'zod';
import { MAX_CHAT_MESSAGES } from '../../../protocol/limits.ts';
import type { AnswerFormat, AnswerOptions, ChatMessage, ChatRequest } from '../../chat-request.ts';
import { inLane } from '../background.ts';
import {
  AnyObject,
  bodyOf,
  Flag,
  given,
  list,
  numberBetween,
  OptionalText,
  readBody,
  Stop,
  wholeNumber,
} from '../fields.ts';
import { seedOf } from '../sampling-fields.ts';
import { ToolCalls, Tools } from '../tool-fields.ts';

export interface OllamaRequest {
  /** undefined where the model is only to be loaded */
  chat: ChatRequest | undefined;
  model: string | undefined;
  stream: boolean;
}

const NO_IMAGES = 'images cannot be read by this model: leave it out';
const Images = z.array(z.unknown()).max(0, { error: NO_IMAGES }).nullish();

/** Ollama says -1 (no end) and -2 (what the context has left) where others leave it out. */
const Predict = z.int({ error: 'must be a whole number' }).nullish();

const Options = z
  .looseObject(
    {
      num_predict: Predict,
      temperature: numberBetween(0, 100),
      top_k: wholeNumber(0),
      top_p: numberBetween(0, 1),
      min_p: numberBetween(0, 1),
      repeat_penalty: numberBetween(0, 100),
      presence_penalty: numberBetween(-2, 2),
      frequency_penalty: numberBetween(-2, 2),
      seed: z.int({ error: 'must be a whole number' }).nullish(),
      stop: Stop,
    },
    { error: 'must be an object' },
  )
  .nullish();

const Format = z
  .union([z.literal(''), z.literal('json'), AnyObject], { error: 'must be "json" or a JSON schema' })
  .nullish()
  .transform((format): AnswerFormat | undefined => {
    if (!format) return undefined;
    return format === 'json' ? { kind: 'json' } : { kind: 'schema', schema: format };
  });

const Think = z.union([z.boolean(), z.string()], { error: 'must be true or false' }).nullish();

const COMMON_FIELDS = {
  model: z.string({ error: 'must be a text' }),
  stream: Flag,
  format: Format,
  options: Options,
  think: Think,
};

const Message = z
  .object(
    {
      role: z.enum(['system', 'user', 'assistant', 'tool'], {
        error: 'must be system, user, assistant or tool',
      }),
      content: z.string({ error: 'must be a text' }).nullish(),
      thinking: OptionalText,
      images: Images,
      tool_calls: ToolCalls,
      tool_name: OptionalText,
      tool_call_id: OptionalText,
    },
    { error: 'must be an object with role and content' },
  )
  .transform(({ role, content, thinking, tool_calls, tool_name, tool_call_id }): ChatMessage => {
    const text = content ?? '';
    if (role === 'assistant')
      return { role, content: text, reasoning: given(thinking), toolCalls: tool_calls };
    if (role !== 'tool') return { role, content: text };
    return { role, content: text, name: given(tool_name), toolCallId: given(tool_call_id) };
  });

export const OllamaChatBody = bodyOf({
  ...COMMON_FIELDS,
  messages: list(Message, {
    max: MAX_CHAT_MESSAGES,
    error: `must be a list of at most ${MAX_CHAT_MESSAGES} messages`,
  }).nullish(),
  tools: Tools,
});

export const OllamaGenerateBody = bodyOf({
  ...COMMON_FIELDS,
  prompt: OptionalText,
  system: OptionalText,
  suffix: z
    .string()
    .max(0, { error: 'text cannot be put in the middle by this model: leave it out' })
    .nullish(),
  images: Images,
  raw: Flag,
});

/** @throws EspalierError invalid_request */
export function readOllamaChat(body: unknown): OllamaRequest {
  const data = readBody(OllamaChatBody, body);
  const messages = data.messages ?? [];
  const chat = { messages, tools: data.tools, thinking: thinkingOf(data.think), ...optionsOf(data) };
  return { chat: messages.length > 0 ? inLane(chat) : undefined, ...commonOf(data) };
}

/** @throws EspalierError invalid_request */
export function readOllamaGenerate(body: unknown): OllamaRequest {
  const data = readBody(OllamaGenerateBody, body);
  const { prompt, system, raw, think } = data;
  const common = commonOf(data);
  if (!prompt) return { chat: undefined, ...common };
  const options = optionsOf(data);
  if (raw) return { chat: { prompt, ...options }, ...common };
  const messages: ChatMessage[] = [{ role: 'user', content: prompt }];
  if (system) messages.unshift({ role: 'system', content: system });
  return { chat: inLane({ messages, thinking: thinkingOf(think), ...options }), ...common };
}

function commonOf({ model, stream }: { model: string; stream?: boolean | null | undefined }) {
  return { model, stream: stream ?? true };
}

/** Levels are all thinking. */
function thinkingOf(think: z.infer<typeof Think>): boolean | undefined {
  if (typeof think === 'string') return think !== 'none' && think !== 'false';
  return given(think);
}

function optionsOf(data: Pick<z.infer<typeof OllamaChatBody>, 'options' | 'format'>): AnswerOptions {
  const options: NonNullable<typeof data.options> = data.options ?? {};
  const { num_predict, top_p, repeat_penalty } = options;
  return {
    maxTokens: num_predict && num_predict > 0 ? num_predict : undefined,
    sampling: {
      temperature: given(options.temperature),
      topK: given(options.top_k),
      topP: top_p === 0 ? 1e-9 : given(top_p),
      minP: given(options.min_p),
      // 0 is what some clients send for none
      repetitionPenalty: repeat_penalty ? Math.max(repeat_penalty, 0.01) : undefined,
      presencePenalty: given(options.presence_penalty),
      frequencyPenalty: given(options.frequency_penalty),
      seed: seedOf(options.seed),
    },
    stop: options.stop ?? [],
    format: data.format,
  };
}
