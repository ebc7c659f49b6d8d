// Answers a translated request, whole or as a stream: the same way for every dialect. It must not know any of them.
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { EspalierError } from '../../protocol/errors.ts';
import { MAX_CHOICES } from '../../protocol/limits.ts';
import { runChat } from '../chat.ts';
import { type AdmittedChat, admitChat } from '../chat-admission.ts';
import type { ChatEvent } from '../chat-request.ts';
import type { TextModel } from '../text-model.ts';
import type { TokenSource } from '../token-source.ts';
import { clientOf } from './client-name.ts';
import { collectAnswers } from './collect.ts';
import { type ApiContext, type ApiDeps, ClientGone } from './context.ts';
import { type AnswerHead, type ReasoningView, SSE_TYPE, sseComment, type Translation } from './dialect.ts';
import { LateAnswer } from './late-answer.ts';
import type { Place } from './line.ts';
import { mergeChoices } from './merge.ts';
import { servingModel } from './models.ts';
import { viewer } from './reasoning-view.ts';
import { asRequestError, RequestError } from './request-error.ts';
import { AnswerStream } from './stream.ts';

/** An event and the choice of the answer that it belongs to. */
export interface ChoiceEvent {
  choice: number;
  event: ChatEvent;
}

/** What runs for one request. */
interface Running {
  events: AsyncGenerator<ChoiceEvent, void>;
  places: readonly Place[];
  /** where it goes what is told of the cluster meanwhile; nowhere at first */
  notices: { tell(text: string): void };
}

/**
 * @param dialect as metrics name it
 * @throws EspalierError while nothing is sent yet
 */
export async function answer(
  context: ApiContext,
  dialect: string,
  translation: Translation,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const startedAtMs = performance.now();
  using exchange = context.exchanges.open(request.raw.socket);
  const { signal } = exchange;
  try {
    const model = await servingModel(context, translation.model, signal);
    checkCount(translation);
    const admitted: AdmittedChat[] = [];
    for (const chat of translation.chats) {
      admitted.push(await admitChat(chat, model, signal, context.deps.pins));
    }
    const head: AnswerHead = {
      id: randomUUID().replaceAll('-', ''),
      created: Math.floor(Date.now() / 1_000),
      model,
      promptTokens: admitted.reduce((sum, { generation }) => sum + generation.promptIds.length, 0),
      startedAtMs,
    };
    const view = translation.view ?? context.viewFor(request) ?? 'apart';
    const client = clientOf(request.headers['user-agent']);
    const running = run(context, { dialect, client }, { ...translation, view }, admitted, signal);
    if (translation.stream) await streamed(context, translation, head, running, reply, signal);
    else return await whole(context, translation, head, running, reply);
  } catch (error) {
    if (!(error instanceof ClientGone)) throw error;
    if (!reply.sent) reply.hijack();
    reply.raw.destroy();
  }
  return reply;
}

function checkCount({ chats, count }: Translation): void {
  if (chats.length * count <= MAX_CHOICES) return;
  const what = `${chats.length * count} answers are asked for, and at most ${MAX_CHOICES} are given to a request`;
  throw new RequestError('invalid_request', `n: ${what}.`, 'n');
}

function run(
  { deps, traffic }: ApiContext,
  { dialect, client }: { dialect: string; client: string | undefined },
  { chats, count, view }: Translation & { view: ReasoningView },
  admitted: readonly AdmittedChat[],
  signal: AbortSignal,
): Running {
  const places: Place[] = [];
  const notices: Running['notices'] = { tell: () => undefined };
  const runs = admitted.flatMap((chat, prompt) =>
    Array.from({ length: count }, (_, nth) => {
      const { generation } = chat;
      const sampling = {
        ...generation.sampling,
        seed: (generation.sampling.seed + nth) % Number.MAX_SAFE_INTEGER,
      };
      const own = { ...chat, generation: { ...generation, sampling } };
      const tell = (text: string) => notices.tell(text);
      const events = runChat(own, ofModel(deps, chat.model), signal, tell, client);
      const isBackground = chats[prompt]?.isBackground ?? false;
      const watched = traffic.watch(events, {
        dialect,
        isBackground,
        promptTokens: generation.promptIds.length,
      });
      places.push(watched.place);
      return viewed(watched.events, prompt * count + nth, viewer(view));
    }),
  );
  const [only] = runs;
  return { events: runs.length === 1 && only ? only : mergeChoices(runs), places, notices };
}

/** Tokens of one model mean nothing to another, which may have taken its place while the request waited. */
function ofModel({ source, textModel }: ApiDeps, model: TextModel): TokenSource {
  return {
    generate(request, ...rest) {
      if (textModel() === model) return source.generate(request, ...rest);
      throw new EspalierError('not_ready', `${model.id} was replaced by another model.`);
    },
  };
}

async function* viewed(
  events: AsyncIterable<ChatEvent>,
  choice: number,
  view: (event: ChatEvent) => readonly ChatEvent[],
): AsyncGenerator<ChoiceEvent, void> {
  for await (const event of events) for (const shown of view(event)) yield { choice, event: shown };
}

/**
 * Gives the source one turn of the event loop to refuse (a full queue, a cluster that just went away), so that a refusal
 * has its own HTTP status; then the headers go out, however long the prompt takes.
 */
async function streamed(
  { deps, streamTimes }: ApiContext,
  translation: Translation,
  head: AnswerHead,
  { events, places, notices }: Running,
  reply: FastifyReply,
  signal: AbortSignal,
): Promise<void> {
  const first = events.next();
  await Promise.race([first, setImmediate()]);
  reply.hijack();
  const encoder = translation.encoder(head);
  const { contentType } = encoder;
  const beat = () => encoder.beat(aheadOf(places));
  const stream = new AnswerStream(reply.raw, { ...streamTimes, contentType, signal, beat });
  // other forms have no place for what is no part of the answer
  if (contentType === SSE_TYPE) notices.tell = (text) => stream.note(sseComment(text));
  try {
    await stream.send(encoder.begin());
    for (let next = await first; !next.done; next = await events.next()) {
      await stream.send(encoder.event(next.value.choice, next.value.event));
    }
    stream.end(encoder.end());
  } catch (error) {
    if (error instanceof ClientGone) return stream.end('');
    const failure = asRequestError(error);
    deps.log.warn({ code: failure.code, request: head.id }, failure.message);
    stream.end(encoder.fail(failure));
  } finally {
    await events.return();
  }
}

/** How many others come first for the choice that is served next. */
function aheadOf(places: readonly Place[]): number | undefined {
  const waiting = places.map((place) => place.ahead());
  return waiting.reduce((least, ahead) =>
    ahead === undefined || least === undefined ? undefined : Math.min(least, ahead),
  );
}

async function whole(
  { deps, streamTimes }: ApiContext,
  translation: Translation,
  head: AnswerHead,
  { events }: Running,
  reply: FastifyReply,
): Promise<unknown> {
  using late = new LateAnswer(reply, streamTimes.beatMs);
  try {
    const answers = await collectAnswers(events, translation.chats.length * translation.count);
    return late.end(translation.whole(answers, head));
  } catch (error) {
    if (!late.hasBegun || error instanceof ClientGone) throw error;
    const failure = asRequestError(error);
    deps.log.warn({ code: failure.code, request: head.id }, failure.message);
    // the status is out: half an answer must not look like a whole one
    throw new ClientGone();
  }
}
