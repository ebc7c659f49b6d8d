// One chat as the controller sees it, whatever dialect it came in: messages in, reasoning and content out.
// It must not know HTTP or any dialect's field names.
import { randomInt } from 'node:crypto';
import { EspalierError } from '../protocol/errors.ts';
import type { FinishReason, GenerateRequest } from '../protocol/generate.ts';
import type { ChatMessage } from './chat-template.ts';
import { Detokenizer } from './detokenizer.ts';
import { promptOpensReasoning, ReasoningSplitter, type TextSegment } from './reasoning.ts';
import { StopStrings } from './stop-strings.ts';
import type { TextModel } from './text-model.ts';
import type { TokenSource } from './token-source.ts';

/** What each dialect translates its requests to. What is left out takes the model's own default. */
export interface ChatRequest {
  messages: readonly ChatMessage[];
  /** of reasoning and answer together */
  maxTokens?: number | undefined;
  temperature?: number | undefined;
  topP?: number | undefined;
  seed?: number | undefined;
  /** Texts that end the answer and are not shown. They are looked for in the answer, not in the reasoning. */
  stop: readonly string[];
}

export interface ChatUsage {
  promptTokens: number;
  /** those of them that were not computed, because an earlier request began alike */
  cachedTokens: number;
  completionTokens: number;
}

/** What each dialect translates from. The last event of a chat is its finish. */
export type ChatEvent = TextSegment | { kind: 'finish'; reason: FinishReason; usage: ChatUsage };

/** A chat that fits the model: everything that can be wrong with the request itself has been checked. */
export interface AdmittedChat {
  model: TextModel;
  generation: Omit<GenerateRequest, 'requestId'>;
  startsInReasoning: boolean;
  stop: readonly string[];
}

/** crypto.randomInt takes ranges below 2^48. */
const SEED_RANGE = 2 ** 48 - 1;

/**
 * Renders and tokenizes a chat, and fills in the defaults.
 * @throws EspalierError context_length_exceeded, or invalid_request when the template refuses the messages
 */
export async function admitChat(
  request: ChatRequest,
  model: TextModel,
  signal: AbortSignal,
): Promise<AdmittedChat> {
  const prompt = model.renderPrompt(request.messages);
  const promptIds = await model.encode(prompt, signal);
  const roomTokens = model.contextTokens - promptIds.length;
  if (roomTokens < 1) {
    throw new EspalierError(
      'context_length_exceeded',
      `The conversation has ${promptIds.length} tokens, but the context of ${model.id} holds ${model.contextTokens}, the answer included.`,
    );
  }
  if (promptIds.length === 0) {
    throw new EspalierError('invalid_request', 'The conversation is empty: the model has nothing to answer.');
  }
  return {
    model,
    generation: {
      promptIds,
      maxTokens: Math.min(request.maxTokens ?? roomTokens, roomTokens),
      stopIds: [...model.stopIds],
      sampling: {
        temperature: request.temperature ?? model.sampling.temperature,
        topP: request.topP ?? model.sampling.topP,
        seed: request.seed ?? randomInt(SEED_RANGE),
      },
    },
    startsInReasoning: promptOpensReasoning(prompt),
    stop: request.stop,
  };
}

/**
 * Generates an admitted chat. Breaking off, a stop string or an aborted `signal` cancels it on the stages.
 * @throws EspalierError while iterating, as the source does; the signal's reason when it was aborted
 */
export async function* runChat(
  chat: AdmittedChat,
  source: TokenSource,
  signal: AbortSignal,
): AsyncGenerator<ChatEvent, void, undefined> {
  const text = new ChatText(chat);
  const promptTokens = chat.generation.promptIds.length;
  const usage: ChatUsage = { promptTokens, cachedTokens: 0, completionTokens: 0 };
  try {
    for await (const { token, finish, cachedTokens } of source.generate(chat.generation, signal)) {
      usage.cachedTokens += cachedTokens ?? 0;
      if (token !== null) {
        usage.completionTokens++;
        yield* text.push(token);
      }
      if (finish !== null && !text.stopped) yield* text.end();
      const reason = text.stopped ? 'stop' : finish;
      if (reason !== null) {
        yield { kind: 'finish', reason, usage };
        return;
      }
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
  signal.throwIfAborted();
  throw new EspalierError('engine_failed', 'The tokens of this request ended without a finish.');
}

/** From token ids to what is shown: text, without think marks, up to a stop string. */
class ChatText {
  readonly #detokenizer: Detokenizer;
  readonly #splitter: ReasoningSplitter;
  readonly #stops: StopStrings;
  stopped = false;

  constructor({ model, startsInReasoning, stop }: AdmittedChat) {
    this.#detokenizer = new Detokenizer(model.decode);
    this.#splitter = new ReasoningSplitter(startsInReasoning);
    this.#stops = new StopStrings(stop);
  }

  push(token: number): TextSegment[] {
    return this.#show(this.#splitter.push(this.#detokenizer.push(token)));
  }

  end(): TextSegment[] {
    const segments = this.#show([...this.#splitter.push(this.#detokenizer.flush()), ...this.#splitter.end()]);
    const held = this.#stops.end();
    if (held !== '') segments.push({ kind: 'content', text: held });
    return segments;
  }

  #show(segments: TextSegment[]): TextSegment[] {
    const shown: TextSegment[] = [];
    for (const segment of segments) {
      if (segment.kind === 'reasoning') {
        shown.push(segment);
        continue;
      }
      const { text, stopped } = this.#stops.push(segment.text);
      if (text !== '') shown.push({ kind: 'content', text });
      if (stopped) {
        this.stopped = true;
        break;
      }
    }
    return shown;
  }
}
