// Which path speaks which dialect. What is common to all answers is answer.ts.
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import { countPromptTokens } from '../chat-admission.ts';
import { answer } from './answer.ts';
import { anthropicMessages } from './anthropic/messages.ts';
import { CountBody, MessagesBody, readCount } from './anthropic/messages-request.ts';
import type { ApiContext } from './context.ts';
import type { Translation } from './dialect.ts';
import { servingModel } from './models.ts';
import { type LoadOnly, ollamaChat, ollamaGenerate } from './ollama/answers.ts';
import { OllamaChatBody, OllamaGenerateBody } from './ollama/request.ts';
import { openAiChat } from './openai/chat.ts';
import { OpenAiChatBody } from './openai/chat-request.ts';
import { CompletionsBody, openAiCompletions } from './openai/completions.ts';
import { openAiResponses } from './openai/responses.ts';
import { ResponsesBody } from './openai/responses-request.ts';

interface AnswerRoute {
  path: string;
  /** as metrics name it */
  dialect: string;
  summary: string;
  body: z.ZodType;
  translate(body: unknown): Translation | LoadOnly;
}

const ROUTES: readonly AnswerRoute[] = [
  {
    path: '/v1/chat/completions',
    dialect: 'openai-chat',
    summary: "OpenAI's chat completions",
    body: OpenAiChatBody,
    translate: openAiChat,
  },
  {
    path: '/v1/completions',
    dialect: 'openai-completions',
    summary: "OpenAI's completions: a text goes on",
    body: CompletionsBody,
    translate: openAiCompletions,
  },
  {
    path: '/v1/responses',
    dialect: 'openai-responses',
    summary: "OpenAI's responses; nothing is stored",
    body: ResponsesBody,
    translate: openAiResponses,
  },
  {
    path: '/v1/messages',
    dialect: 'anthropic',
    summary: "Anthropic's messages",
    body: MessagesBody,
    translate: anthropicMessages,
  },
  {
    path: '/api/chat',
    dialect: 'ollama-chat',
    summary: "Ollama's chat",
    body: OllamaChatBody,
    translate: ollamaChat,
  },
  {
    path: '/api/generate',
    dialect: 'ollama-generate',
    summary: "Ollama's generate",
    body: OllamaGenerateBody,
    translate: ollamaGenerate,
  },
];

const EMBEDDINGS = ['/v1/embeddings', '/api/embed', '/api/embeddings'];

export function dialectRoutes(app: FastifyInstance, context: ApiContext): void {
  for (const { path, dialect, summary, body, translate } of ROUTES) {
    app.post(path, { config: { summary, body } }, async (request, reply) => {
      const translation = translate(request.body);
      if ('loads' in translation) {
        const model = await servingModel(
          context,
          translation.loads,
          AbortSignal.timeout(context.holdMs + 1_000),
        );
        return translation.answer(model.id);
      }
      return answer(context, dialect, translation, request, reply);
    });
  }

  const count = { summary: 'How many tokens a conversation has', body: CountBody };
  app.post('/v1/messages/count_tokens', { config: count }, async (request) => {
    const { chat, model: wanted } = readCount(request.body);
    using exchange = context.exchanges.open(request.raw.socket);
    const model = await servingModel(context, wanted, exchange.signal);
    return { input_tokens: await countPromptTokens(chat, model, exchange.signal) };
  });

  for (const path of EMBEDDINGS) {
    app.post(path, { config: { summary: 'Not there: the model has no embeddings' } }, () => {
      const why = 'a cluster holds one model, and models that converse make poor embeddings';
      throw new EspalierError('no_embeddings', `There are no embeddings here: ${why}.`);
    });
  }
}
