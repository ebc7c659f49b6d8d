// GET /v1/models and /v1/models/ID, in OpenAI's and Anthropic's form at once: they do not contradict one another.
// Translation only.
import type { FastifyInstance } from 'fastify';
import type { ApiContext } from '../context.ts';
import { knownId, type ListedModel, unknownModel } from '../models.ts';

export function openAiModelRoutes(app: FastifyInstance, { deps }: ApiContext): void {
  app.get('/v1/models', { config: { summary: 'The models that can be asked for' } }, () => {
    const data = deps.models().map(entry);
    const ids = deps.models().map(({ id }) => id);
    return { object: 'list', data, has_more: false, first_id: ids[0] ?? null, last_id: ids.at(-1) ?? null };
  });

  // A wildcard, since ids may hold slashes: mlx-community/DeepSeek-R1-4bit.
  app.get<{ Params: { '*': string } }>('/v1/models/*', { config: { summary: 'One model' } }, ({ params }) => {
    const id = knownId(deps, params['*']);
    const model = deps.models().find((known) => known.id === id);
    if (!model) throw unknownModel(params['*'], deps);
    return entry(model);
  });
}

function entry({ id, modifiedAt, contextTokens, state }: ListedModel): object {
  return {
    id,
    object: 'model',
    created: Math.floor(modifiedAt / 1_000),
    owned_by: 'espalier',
    // Anthropic's
    type: 'model',
    display_name: id,
    created_at: new Date(modifiedAt).toISOString(),
    // vLLM's and OpenRouter's, which clients read to know when to shorten a conversation
    max_model_len: contextTokens,
    context_length: contextTokens,
    state,
  };
}
