// The routes of the model store: what there is, search, pull, verify, remove, and which model is deployed. What they do is the
// store's business.
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import {
  CANCEL_PULL_PATH,
  CATALOGUE_PATH,
  type CatalogueReport,
  DEPLOYMENT_PATH,
  type DeploymentReport,
  type FoundModel,
  MODEL_PLAN_PATH,
  MODELS_PATH,
  ModelRequest,
  type ModelsReport,
  PULL_MODEL_PATH,
  type PullProgress,
  PullRequest,
  REMOVE_MODEL_PATH,
  type RemovedAnswer,
  SEARCH_MODELS_PATH,
  type SwitchAnswer,
  type SwitchCost,
  VERIFY_MODEL_PATH,
} from '../../protocol/models.ts';
import type { PlanReport } from '../../protocol/plan-report.ts';
import type { ApiContext } from './context.ts';
import { RequestError } from './request-error.ts';

const MAX_WORDS_CHARS = 200;

/** What the routes need of the store; each throws EspalierErrors in its own words. */
export interface StoreApi {
  report(): Promise<ModelsReport>;
  catalogue(): Promise<CatalogueReport>;
  planOf(model: string): Promise<PlanReport>;
  search(text: string): Promise<FoundModel[]>;
  pull(request: PullRequest): PullProgress;
  cancel(model: string): PullProgress;
  verify(model: string): Promise<PullProgress>;
  remove(model: string): Promise<RemovedAnswer>;
  deployment(): DeploymentReport;
  cost(model: string): Promise<SwitchCost>;
  use(model: string): Promise<SwitchAnswer>;
}

export function modelRoutes(app: FastifyInstance, { deps }: ApiContext): void {
  const { store } = deps;
  if (!store) return;
  const admin = { access: 'admin' } as const;

  app.get(
    MODELS_PATH,
    { config: { summary: 'The stored models, where they are, and the pulls that run' } },
    () => store.report(),
  );

  app.get(CATALOGUE_PATH, { config: { summary: 'Models that the cluster could hold, best first' } }, () =>
    store.catalogue(),
  );

  app.get(
    MODEL_PLAN_PATH,
    { config: { summary: 'The plan that a stored model, or one of the catalogue, would get: ?model=' } },
    ({ query }) => store.planOf(textOf(query, 'model')),
  );

  app.get(
    SEARCH_MODELS_PATH,
    { config: { summary: 'Models of the hub, by words: ?q=' } },
    async ({ query }) => ({
      models: await store.search(textOf(query, 'q')),
    }),
  );

  const pulling = {
    ...admin,
    summary: 'Fetches a model to the nodes that are to hold it',
    body: PullRequest,
  };
  app.post(PULL_MODEL_PATH, { config: pulling }, ({ body }) => ({
    pull: store.pull(parse(PullRequest, body)),
  }));

  const cancelling = { ...admin, summary: 'Ends a pull; what has come stays', body: ModelRequest };
  app.post(CANCEL_PULL_PATH, { config: cancelling }, ({ body }) => ({
    pull: store.cancel(parse(ModelRequest, body).model),
  }));

  const verifying = { ...admin, summary: 'Reads every file of a model once more', body: ModelRequest };
  app.post(VERIFY_MODEL_PATH, { config: verifying }, async ({ body }) => ({
    pull: await store.verify(parse(ModelRequest, body).model),
  }));

  const removing = { ...admin, summary: 'Removes a model from all nodes', body: ModelRequest };
  app.post(REMOVE_MODEL_PATH, { config: removing }, ({ body }) =>
    store.remove(parse(ModelRequest, body).model),
  );

  const asking = { summary: 'The deployed model; with ?model= what deploying that one would cost' };
  app.get(DEPLOYMENT_PATH, { config: asking }, ({ query }) => {
    const isAsked = Object.hasOwn(query as object, 'model');
    return isAsked ? store.cost(textOf(query, 'model')) : store.deployment();
  });

  const deploying = { ...admin, summary: 'Deploys another model', body: ModelRequest };
  app.post(DEPLOYMENT_PATH, { config: deploying }, ({ body }) => store.use(parse(ModelRequest, body).model));
}

/** @throws RequestError invalid_request */
function textOf(query: unknown, name: string): string {
  const text = (query as Record<string, unknown>)[name];
  if (typeof text === 'string' && text.trim() !== '' && text.length <= MAX_WORDS_CHARS) return text.trim();
  throw new RequestError(
    'invalid_request',
    `${name}: it takes a text of at most ${MAX_WORDS_CHARS} characters.`,
    name,
  );
}

/** @throws EspalierError invalid_request */
function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new EspalierError('invalid_request', `${issue?.path.join('.') || 'The body'}: ${issue?.message}.`);
}
