// Ollama's routes about models: what there is, what is loaded, which version this is. Translation only.
import type { FastifyInstance } from 'fastify';
import type { ApiContext } from '../context.ts';
import { bodyOf, OptionalText, readBody } from '../fields.ts';
import { knownId, type ListedModel, unknownModel } from '../models.ts';

/** Clients ask for it to know what they may send: the Ollama whose answers these are like. */
const OLLAMA_VERSION = '0.12.0';

const ShowBody = bodyOf({ model: OptionalText, name: OptionalText });

export function ollamaRoutes(app: FastifyInstance, { deps }: ApiContext): void {
  app.get('/api/version', { config: { summary: "The version of Ollama's API that this speaks" } }, () => {
    return { version: OLLAMA_VERSION };
  });

  app.get('/api/tags', { config: { summary: 'The models that can be asked for' } }, () => {
    return {
      models: deps.models().map((model) => ({ ...entry(model), modified_at: time(model.modifiedAt) })),
    };
  });

  app.get('/api/ps', { config: { summary: 'The model that is loaded' } }, () => {
    const loaded = deps
      .models()
      .filter(({ state }) => state === 'deployed' && deps.status().state === 'serving');
    return {
      models: loaded.map((model) => ({
        ...entry(model),
        size_vram: model.sizeBytes,
        context_length: model.contextTokens,
        // it stays until another one is deployed
        expires_at: time(Date.UTC(9999, 0, 1)),
      })),
    };
  });

  app.post('/api/show', { config: { summary: 'One model', body: ShowBody } }, ({ body }) => {
    const { model, name } = readBody(ShowBody, body);
    const asked = model ?? name ?? '';
    const id = knownId(deps, asked);
    const found = deps.models().find((listed) => listed.id === id);
    if (!found) throw unknownModel(asked, deps);
    return shown(found);
  });
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

function entry(model: ListedModel): object {
  const { id, sizeBytes, digest } = model;
  return { name: id, model: id, size: sizeBytes, digest, details: details(model) };
}

function details({ architecture, parameters, quantization }: ListedModel): object {
  return {
    parent_model: '',
    format: 'mlx',
    family: architecture,
    families: [architecture],
    parameter_size: parameterSize(parameters),
    quantization_level: quantization,
  };
}

/** `671.0B` */
function parameterSize(parameters: number): string {
  return parameters >= 1e9 ? `${(parameters / 1e9).toFixed(1)}B` : `${(parameters / 1e6).toFixed(1)}M`;
}

function shown(model: ListedModel): object {
  const { architecture, parameters, contextTokens, hasTools, hasReasoning, modifiedAt } = model;
  const capabilities = ['completion', ...(hasTools ? ['tools'] : []), ...(hasReasoning ? ['thinking'] : [])];
  return {
    license: '',
    modelfile: '',
    parameters: '',
    template: '',
    details: details(model),
    model_info: {
      'general.architecture': architecture,
      'general.parameter_count': parameters,
      [`${architecture}.context_length`]: contextTokens,
    },
    capabilities,
    modified_at: time(modifiedAt),
  };
}
