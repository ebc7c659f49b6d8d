// POST /v1/chat/completions in OpenAI's form: chat events out as chunks or as one answer. Translation only.
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { admitChat, type ChatEvent, type ChatUsage, runChat } from '../chat.ts';
import { type ApiContext, ClientGone, type Exchange, servingModel } from './context.ts';
import { openAiError } from './openai-error.ts';
import { readOpenAiChat } from './openai-request.ts';
import { asRequestError } from './request-error.ts';
import { SseStream } from './sse.ts';

/** What all chunks of an answer, or the one answer, begin with. */
interface AnswerHead {
  id: string;
  created: number;
  model: string;
}

export function openAiChatRoutes(app: FastifyInstance, context: ApiContext): void {
  const { deps, exchanges } = context;
  app.post('/v1/chat/completions', async (request, reply) => {
    const { chat, model: modelId, stream, includeUsage } = readOpenAiChat(request.body);
    using exchange = exchanges.open(request.raw.socket);
    try {
      const model = servingModel(deps, modelId);
      const admitted = await admitChat(chat, model, exchange.signal);
      const events = runChat(admitted, deps.source, exchange.signal);
      const head = {
        id: `chatcmpl-${randomUUID()}`,
        created: Math.floor(Date.now() / 1_000),
        model: model.id,
      };
      if (!stream) return await wholeAnswer(events, head);
      const begun = await begin(events);
      reply.hijack();
      await streamAnswer(begun, reply, head, { exchange, context, includeUsage });
    } catch (error) {
      if (!(error instanceof ClientGone)) throw error;
      reply.hijack();
      reply.raw.destroy();
    }
    return reply;
  });
}

/**
 * Begins a chat and gives the source one turn of the event loop to refuse it (a full queue, a cluster that just went
 * away), so that a refusal has its own HTTP status; then the headers go out, however long the prompt takes.
 */
async function begin(events: AsyncGenerator<ChatEvent, void>): Promise<AsyncIterable<ChatEvent>> {
  const first = events.next();
  await Promise.race([first, setImmediate()]);
  return (async function* () {
    try {
      const { value } = await first;
      if (value) yield value;
      yield* events;
    } finally {
      await events.return();
    }
  })();
}

async function streamAnswer(
  events: AsyncIterable<ChatEvent>,
  reply: FastifyReply,
  head: AnswerHead,
  { exchange, context, includeUsage }: { exchange: Exchange; context: ApiContext; includeUsage: boolean },
): Promise<void> {
  const sse = new SseStream(reply.raw, exchange.signal, context.streamTimes);
  const chunk = (choices: unknown[], usage?: ChatUsage): string =>
    JSON.stringify({
      ...head,
      object: 'chat.completion.chunk',
      choices,
      ...(includeUsage ? { usage: usage === undefined ? null : usageFields(usage) } : {}),
    });
  const delta = (fields: object, finish: string | null = null): string =>
    chunk([{ index: 0, delta: fields, logprobs: null, finish_reason: finish }]);
  try {
    let first = true;
    for await (const event of events) {
      if (first) await sse.send(delta({ role: 'assistant', content: '' }));
      first = false;
      if (event.kind === 'finish') {
        await sse.send(delta({}, event.reason));
        if (includeUsage) await sse.send(chunk([], event.usage));
      } else if (event.kind === 'reasoning') await sse.send(delta({ reasoning_content: event.text }));
      else await sse.send(delta({ content: event.text }));
    }
    sse.end('[DONE]');
  } catch (error) {
    if (error instanceof ClientGone) return sse.end();
    const failure = asRequestError(error);
    context.deps.log.warn({ code: failure.code, request: head.id }, failure.message);
    sse.end(JSON.stringify(openAiError(failure)));
  }
}

async function wholeAnswer(events: AsyncIterable<ChatEvent>, head: AnswerHead): Promise<object> {
  const text = { reasoning: '', content: '' };
  for await (const event of events) {
    if (event.kind !== 'finish') {
      text[event.kind] += event.text;
      continue;
    }
    const message = {
      role: 'assistant',
      content: text.content,
      reasoning_content: text.reasoning === '' ? null : text.reasoning,
      refusal: null,
    };
    return {
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason: event.reason }],
      usage: usageFields(event.usage),
    };
  }
  throw new Error('a chat ended without its finish');
}

function usageFields({ promptTokens, cachedTokens, completionTokens }: ChatUsage): object {
  return {
    prompt_tokens: promptTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
