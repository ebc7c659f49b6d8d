// What the API says of the model that a client is to use. It must not know any client.
import { z } from 'zod';
import { EspalierError } from '../../../protocol/errors.ts';
import { askController } from '../ask-controller.ts';
import type { Endpoint } from './client.ts';

const ANSWER_TIMEOUT_MS = 10_000;

const Models = z.object({ data: z.array(z.object({ id: z.string(), max_model_len: z.int() })) });
const Shown = z.object({ capabilities: z.array(z.string()) });

/**
 * @param wanted the model's id; undefined takes the first that is listed
 * @throws what `askController` throws; EspalierError model_not_found, not_ready
 */
export async function findEndpoint(
  url: string,
  wanted: string | undefined,
  key: string | undefined,
): Promise<{ endpoint: Endpoint; hasTools: boolean }> {
  const question = { path: '/v1/models', schema: Models, what: 'models', timeoutMs: ANSWER_TIMEOUT_MS, key };
  const { data } = (await askController(url, question)).data;
  const model = wanted === undefined ? data[0] : data.find(({ id }) => id === wanted);
  if (!model) {
    const known = data.map(({ id }) => id).join(', ');
    if (known === '') throw new EspalierError('not_ready', `the controller at ${url} has no model yet`);
    throw new EspalierError('model_not_found', `there is no model "${wanted}"; there is: ${known}`);
  }
  const show = { path: '/api/show', schema: Shown, what: 'model', timeoutMs: ANSWER_TIMEOUT_MS, key };
  const { capabilities } = (await askController(url, { ...show, body: { model: model.id } })).data;
  return {
    endpoint: { url: url.replace(/\/$/, ''), model: model.id, key, contextTokens: model.max_model_len },
    hasTools: capabilities.includes('tools'),
  };
}
