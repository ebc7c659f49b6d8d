// GET /v1/models and /v1/models/ID in OpenAI's form. Translation only.
import type { FastifyInstance } from 'fastify';
import type { TextModel } from '../text-model.ts';
import { type ApiContext, unknownModel } from './context.ts';

export function openAiModelRoutes(app: FastifyInstance, { deps }: ApiContext): void {
  // The protocol wants a time of creation; when this controller began to offer it is the only honest one.
  const created = Math.floor(Date.now() / 1_000);
  const entry = ({ id }: TextModel): object => ({ id, object: 'model', created, owned_by: 'espalier' });

  app.get('/v1/models', () => {
    const model = deps.textModel();
    return { object: 'list', data: model === undefined ? [] : [entry(model)] };
  });

  // A wildcard, since ids may hold slashes: mlx-community/DeepSeek-R1-4bit.
  app.get<{ Params: { '*': string } }>('/v1/models/*', ({ params }) => {
    const model = deps.textModel();
    if (model?.id !== params['*']) throw unknownModel(params['*'], model);
    return entry(model);
  });
}
