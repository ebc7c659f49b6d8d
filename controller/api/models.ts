// The models that can be asked for, and the one that answers. One is deployed at a time; whoever keeps several models
// (the model store) lists them here and deploys the one that is wanted. It must not know dialects.
import { setTimeout as delay } from 'node:timers/promises';
import { EspalierError } from '../../protocol/errors.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import type { ModelFacts } from '../models/listed.ts';
import { promptOpensReasoning } from '../reasoning.ts';
import type { TextModel } from '../text-model.ts';
import type { ApiContext, ApiDeps } from './context.ts';
import { RequestError } from './request-error.ts';

/** A model that clients may name. */
export interface ListedModel extends ModelFacts {
  /** deployed: it answers, or will when its stages are loaded · known: it would have to be deployed first */
  state: 'deployed' | 'known';
  contextTokens: number;
  hasTools: boolean;
  hasReasoning: boolean;
}

/** The deployed model as it is listed. */
export function listedModel(facts: ModelFacts, text: TextModel): ListedModel {
  const hello = [{ role: 'user' as const, content: 'Hello' }];
  return {
    ...facts,
    state: 'deployed',
    contextTokens: text.contextTokens,
    hasTools: text.renderPrompt.toolForm !== undefined,
    hasReasoning: promptOpensReasoning(text.renderPrompt(hello)),
  };
}

/** A status that changes by itself is looked at this often. */
const LOOK_MS = 50;

/**
 * The model that answers. While its stages load, it waits for up to the API's `holdMs`.
 * @param requested the id that the client asked for; undefined takes the deployed one
 * @throws EspalierError not_ready with the progress, model_not_found; the signal's reason
 */
export async function servingModel(
  { deps, holdMs }: ApiContext,
  requested: string | undefined,
  signal: AbortSignal,
): Promise<TextModel> {
  if (requested !== undefined) {
    const id = knownId(deps, requested);
    if (id !== undefined && !isDeployed(deps, id) && deps.deploy) await deps.deploy(id);
    else if (id === undefined || !isDeployed(deps, id)) throw unknownModel(requested, deps);
  }
  const deadline = performance.now() + holdMs;
  for (;;) {
    const status = deps.status();
    const model = deps.textModel();
    // while it recovers from a loss, requests wait with those that were interrupted
    if ((status.state === 'serving' || status.state === 'recovering') && model) return model;
    if (status.state !== 'deploying' || performance.now() >= deadline) throw notReady(status);
    await delay(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** The listed id that a client means: Ollama's clients add a tag. */
export function knownId(deps: ApiDeps, requested: string): string | undefined {
  const ids = deps.models().map(({ id }) => id);
  return ids.find((id) => requested === id) ?? ids.find((id) => requested === `${id}:latest`);
}

/** The error for a model id that nobody serves, with the ids that are. */
export function unknownModel(requested: string, deps: ApiDeps): RequestError {
  const ids = deps.models().map(({ id }) => id);
  const known = ids.length === 0 ? 'no model is loaded yet' : `the known ids are: ${ids.join(', ')}`;
  return new RequestError(
    'model_not_found',
    `There is no model "${requested.slice(0, 200)}"; ${known}.`,
    'model',
  );
}

function isDeployed(deps: ApiDeps, id: string): boolean {
  return deps.models().some((model) => model.id === id && model.state === 'deployed');
}

function notReady({ state, reason }: ClusterStatus): EspalierError {
  return new EspalierError('not_ready', `The cluster is ${state}: ${reason ?? 'no model is loaded yet'}.`);
}
