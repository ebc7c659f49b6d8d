// POST /v1/completions in OpenAI's older form: a text goes on. Translation only.
import { z } from 'zod';
import type { EspalierError } from '../../../protocol/errors.ts';
import { MAX_API_BODY_BYTES, MAX_CHOICES, MAX_TOP_LOGPROBS } from '../../../protocol/limits.ts';
import type { ChatEvent, ChatUsage, TokenInfo } from '../../chat-request.ts';
import type { TextModel } from '../../text-model.ts';
import { type AnswerHead, type Encoder, SSE_TYPE, sse, type Translation } from '../dialect.ts';
import { bodyOf, Flag, given, list, OptionalText, readBody, Stop, wholeNumber } from '../fields.ts';
import { SAMPLING_FIELDS, samplingOf } from '../sampling-fields.ts';
import { openAiError } from './error.ts';
import { commentBeat, finishReason, usageFields } from './shared.ts';

const PROMPT_ERROR = 'must be a text, a list of texts, token ids or a list of those';
const Ids = list(z.int().min(0), { min: 1, max: MAX_API_BODY_BYTES, error: PROMPT_ERROR });
const Texts = list(z.string(), { min: 1, max: MAX_CHOICES, error: PROMPT_ERROR });
const IdLists = list(Ids, { min: 1, max: MAX_CHOICES, error: PROMPT_ERROR });

const Prompt = z
  .union([z.string(), Ids, Texts, IdLists], { error: PROMPT_ERROR })
  .transform((prompt): (string | number[])[] => {
    if (typeof prompt === 'string') return [prompt];
    return typeof prompt[0] === 'number' ? [prompt as number[]] : (prompt as (string | number[])[]);
  });

export const CompletionsBody = bodyOf({
  model: OptionalText,
  prompt: Prompt,
  max_tokens: wholeNumber(1),
  ...SAMPLING_FIELDS,
  stop: Stop,
  stream: Flag,
  stream_options: z.object({ include_usage: Flag }, { error: 'must be an object' }).nullish(),
  n: wholeNumber(1, MAX_CHOICES),
  best_of: wholeNumber(1, MAX_CHOICES),
  logprobs: wholeNumber(0, MAX_TOP_LOGPROBS),
  echo: Flag,
  suffix: z
    .string()
    .max(0, { error: 'text cannot be put in the middle by this model: leave it out' })
    .nullish(),
});
type Completions = z.infer<typeof CompletionsBody>;

/** OpenAI's own default, of the time before models knew when to end. */
const DEFAULT_MAX_TOKENS = 16;

/** @throws EspalierError invalid_request */
export function openAiCompletions(body: unknown): Translation {
  const data = readBody(CompletionsBody, body);
  const options = {
    maxTokens: data.max_tokens ?? DEFAULT_MAX_TOKENS,
    sampling: samplingOf(data, given(data.logprobs)),
    stop: data.stop ?? [],
    stopIds: given(data.stop_token_ids),
  };
  return {
    chats: data.prompt.map((prompt) => ({ prompt, ...options })),
    count: data.n ?? 1,
    model: given(data.model),
    stream: data.stream ?? false,
    // nothing is split here
    view: 'apart',
    whole: (answers, head) => ({
      ...opening(head),
      choices: answers.map(({ content, tokens, finish }, index) =>
        choiceFields(
          index,
          echoOf(data, index, head) + content,
          finishReason(finish),
          logprobs(data, tokens, head.model),
        ),
      ),
      usage: completionUsage(
        answers.map(({ usage }) => usage),
        head,
        data.n ?? 1,
      ),
    }),
    encoder: (head) => new CompletionEncoder(head, data),
  };
}

function opening({ id, created, model }: AnswerHead): object {
  return { id: `cmpl-${id}`, object: 'text_completion', created, model: model.id };
}

function choiceFields(index: number, text: string, finish: string | null, logprobs: object | null): object {
  return { index, text, logprobs, finish_reason: finish };
}

/** Of several prompts, all are counted. */
function completionUsage(
  usages: readonly ChatUsage[],
  { promptTokens }: AnswerHead,
  perPrompt: number,
): object {
  const firsts = usages.filter((_, choice) => choice % perPrompt === 0);
  const cachedTokens = firsts.reduce((sum, usage) => sum + usage.cachedTokens, 0);
  return usageFields(usages.map((usage) => ({ ...usage, promptTokens, cachedTokens })));
}

/** The prompt of a choice, where it is to be repeated. */
function echoOf({ echo, prompt, n }: Completions, choice: number, { model }: AnswerHead): string {
  if (!echo) return '';
  const asked = prompt[Math.floor(choice / (n ?? 1))] ?? '';
  return typeof asked === 'string' ? asked : model.decode(asked);
}

function logprobs(
  { logprobs: wanted }: Completions,
  tokens: readonly TokenInfo[],
  model: TextModel,
): object | null {
  if (wanted === null || wanted === undefined) return null;
  const text = (token: number) => Buffer.from(model.tokenBytes(token)).toString();
  let offset = 0;
  return {
    tokens: tokens.map(({ token }) => text(token)),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ top }) =>
      Object.fromEntries(top.map(({ token, logprob }) => [text(token), logprob])),
    ),
    text_offset: tokens.map(({ token }) => {
      const at = offset;
      offset += text(token).length;
      return at;
    }),
  };
}

class CompletionEncoder implements Encoder {
  readonly contentType = SSE_TYPE;
  readonly #head: AnswerHead;
  readonly #wanted: Completions;
  readonly #begun = new Set<number>();
  readonly #usages: ChatUsage[] = [];

  constructor(head: AnswerHead, wanted: Completions) {
    this.#head = head;
    this.#wanted = wanted;
  }

  begin(): string {
    return '';
  }

  event(choice: number, event: ChatEvent): string {
    const isFirst = !this.#begun.has(choice);
    this.#begun.add(choice);
    const echo = isFirst ? echoOf(this.#wanted, choice, this.#head) : '';
    if (event.kind === 'finish') {
      this.#usages[choice] = event.usage;
      return this.#chunk([choiceFields(choice, echo, finishReason(event.reason), null)]);
    }
    if (event.kind === 'tool-call') return '';
    const told = event.tokens && logprobs(this.#wanted, event.tokens, this.#head.model);
    return this.#chunk([choiceFields(choice, echo + event.text, null, told ?? null)]);
  }

  beat(ahead: number | undefined): string {
    return commentBeat(ahead);
  }

  fail(error: EspalierError): string {
    return sse(openAiError(error));
  }

  end(): string {
    const { stream_options, n } = this.#wanted;
    const usage = stream_options?.include_usage
      ? this.#chunk([], completionUsage(this.#usages, this.#head, n ?? 1))
      : '';
    return `${usage}data: [DONE]\n\n`;
  }

  #chunk(choices: object[], usage: object | null = null): string {
    const told = this.#wanted.stream_options?.include_usage ? { usage } : {};
    return sse({ ...opening(this.#head), choices, ...told });
  }
}
