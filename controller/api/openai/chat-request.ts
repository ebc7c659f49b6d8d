// The body of POST /v1/chat/completions, checked and translated to a chat request. Unknown fields are ignored: clients
// send many. Translation only.
import { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import { MAX_CHAT_MESSAGES, MAX_STOP_STRING_CHARS, MAX_STOP_STRINGS } from '../../protocol/limits.ts';
import type { ChatRequest } from '../chat.ts';
import type { ChatMessage } from '../chat-template.ts';
import { RequestError } from './request-error.ts';

/** What the OpenAI dialect needs of a request beside the chat itself. */
export interface OpenAiChat {
  chat: ChatRequest;
  model: string | undefined;
  stream: boolean;
  includeUsage: boolean;
}

const NO_TOOLS = 'tools are not supported yet: leave it out';

/** Only the given values pass; null and nothing always do. */
function only(values: readonly unknown[], error: string): z.ZodType {
  return check((value) => values.includes(value), error);
}

function empty(error: string): z.ZodType {
  return check((value) => Array.isArray(value) && value.length === 0, error);
}

function check(isRight: (value: unknown) => boolean, error: string): z.ZodType {
  return z
    .unknown()
    .optional()
    .refine((value) => value === null || value === undefined || isRight(value), { error });
}

function wholeNumber(): z.ZodType<number | null | undefined> {
  const error = 'must be a whole number of at least 1';
  return z.int({ error }).min(1, { error }).nullish();
}

/** Its length is looked at before its elements are: a list of a million wrong ones must not make a million errors. */
function list<T>(element: z.ZodType<T>, size: { min: number; max: number; error: string }): z.ZodType<T[]> {
  const { min, max, error } = size;
  return z.array(z.unknown(), { error }).min(min, { error }).max(max, { error }).pipe(z.array(element));
}

const Message = z
  .object(
    {
      role: z.enum(['system', 'developer', 'user', 'assistant', 'tool'], {
        error: 'must be system, developer, user, assistant or tool',
      }),
      content: z.unknown().optional(),
      tool_calls: empty(NO_TOOLS),
    },
    { error: 'must be an object with role and content' },
  )
  .transform(({ role, content }, context): ChatMessage => {
    const found = readContent(content, role);
    if (typeof found === 'string') return { role: role === 'developer' ? 'system' : role, content: found };
    context.addIssue({ code: 'custom', ...found });
    return z.NEVER;
  });

/**
 * A message's text, parts as paragraphs, or what is wrong with the first part that is none. Only an assistant's message
 * may be without a text.
 */
function readContent(
  content: unknown,
  role: string,
): string | { path: (string | number)[]; message: string } {
  if (typeof content === 'string') return content;
  if (role === 'assistant' && (content === null || content === undefined)) return '';
  if (!Array.isArray(content))
    return { path: ['content'], message: 'must be a text or a list of text parts' };
  const texts: string[] = [];
  for (const [index, part] of content.entries()) {
    const { type, text } = Object(part) as { type?: unknown; text?: unknown };
    if (type !== 'text' || typeof text !== 'string') {
      const what =
        typeof type === 'string' && type !== 'text' ? `a part of type "${type.slice(0, 50)}"` : 'this';
      const message = `must be {"type": "text", "text": …}: ${what} cannot be read by this model`;
      return { path: ['content', index], message };
    }
    texts.push(text);
  }
  return texts.join('\n');
}

const StopString = z
  .string({ error: 'must be a text or a list of texts' })
  .min(1, { error: 'must not be empty' })
  .max(MAX_STOP_STRING_CHARS, { error: `must have at most ${MAX_STOP_STRING_CHARS} characters` });

const Body = z.object(
  {
    model: z.string({ error: 'must be a text' }).nullish(),
    messages: list(Message, {
      min: 1,
      max: MAX_CHAT_MESSAGES,
      error: `must be a list of 1 to ${MAX_CHAT_MESSAGES} messages`,
    }),
    max_tokens: wholeNumber(),
    max_completion_tokens: wholeNumber(),
    temperature: numberBetween(0, 2),
    top_p: numberBetween(0, 1),
    seed: z.int({ error: 'must be a whole number below 2^53' }).nullish(),
    stop: z
      .preprocess(
        (stop) => (typeof stop === 'string' ? [stop] : (stop ?? [])),
        list(StopString, {
          min: 0,
          max: MAX_STOP_STRINGS,
          error: `must be a text or a list of at most ${MAX_STOP_STRINGS} texts`,
        }),
      )
      .optional(),
    stream: z.boolean({ error: 'must be true or false' }).nullish(),
    stream_options: z
      .object({ include_usage: z.boolean().nullish() }, { error: 'must be an object' })
      .nullish(),
    n: only([1], 'only 1 answer is given for a request: leave it out or send 1'),
    logprobs: only([false], 'log probabilities are not supported yet: leave it out'),
    tools: empty(NO_TOOLS),
    functions: empty(NO_TOOLS),
    tool_choice: only(['none', 'auto'], NO_TOOLS),
    response_format: z
      .object({ type: only(['text'], 'only "text" is supported yet') }, { error: 'must be an object' })
      .nullish(),
  },
  { error: 'The body must be a JSON object.' },
);

function numberBetween(min: number, max: number): z.ZodType<number | null | undefined> {
  const error = `must be a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error }).nullish();
}

/** The smallest share of the likelihood that stands for OpenAI's top_p 0: the likeliest token alone. */
const LEAST_TOP_P = 1e-9;

/**
 * Checks a body and translates it.
 * @throws EspalierError invalid_request; a RequestError that names the field, where there is one
 */
export function readOpenAiChat(body: unknown): OpenAiChat {
  const result = Body.safeParse(body);
  if (!result.success) {
    const [issue] = result.error.issues;
    const param = fieldName(issue?.path ?? []);
    const message = issue?.message ?? 'is wrong';
    if (param === '') throw new EspalierError('invalid_request', message);
    throw new RequestError('invalid_request', `${param}: ${message}`, param);
  }
  const { data } = result;
  return {
    chat: {
      messages: data.messages,
      maxTokens: data.max_completion_tokens ?? data.max_tokens ?? undefined,
      temperature: data.temperature ?? undefined,
      topP: data.top_p === 0 ? LEAST_TOP_P : (data.top_p ?? undefined),
      seed: seedOf(data.seed),
      stop: data.stop ?? [],
    },
    model: data.model ?? undefined,
    stream: data.stream ?? false,
    includeUsage: data.stream_options?.include_usage ?? false,
  };
}

/** The engine's seeds start at 0; negative ones are as good as any. */
function seedOf(seed: number | null | undefined): number | undefined {
  if (seed === null || seed === undefined) return undefined;
  return seed < 0 ? seed + Number.MAX_SAFE_INTEGER : seed;
}

/** `messages[2].content[0]` */
function fieldName(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (name, key) =>
      typeof key === 'number' ? `${name}[${key}]` : name === '' ? String(key) : `${name}.${String(key)}`,
    '',
  );
}
