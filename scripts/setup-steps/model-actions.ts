// What the wizard lets be done with models: what there is, the predicted plan, the pull and the deployment, all by the
// controller's API. It must not know pages.
import { isAbsolute } from 'node:path';
import type { z } from 'zod';
import { fetchStatus } from '../../dashboard/client.ts';
import type { DiskNeed, ModelOffer, SetupActions } from '../../dashboard/setup/actions.ts';
import { EspalierError } from '../../protocol/errors.ts';
import { loadIdentity } from '../../protocol/identity.ts';
import {
  CANCEL_PULL_PATH,
  CATALOGUE_PATH,
  CatalogueReport,
  DEPLOYMENT_PATH,
  MODEL_PLAN_PATH,
  MODELS_PATH,
  ModelsReport,
  PULL_MODEL_PATH,
  PullAnswer,
  RepoName,
  SEARCH_MODELS_PATH,
  SearchReport,
  type StoredModel,
  SwitchAnswer,
  SwitchCost,
} from '../../protocol/models.ts';
import { PlanReport } from '../../protocol/plan-report.ts';
import { fetchLinks } from '../cli/links/fetch-links.ts';
import { askModels, followPull } from '../cli/models/ask-models.ts';
import { followSwitch } from '../cli/models/follow-switch.ts';
import { planText } from '../cli/plan/plan-text.ts';
import { type LocalModel, localModels, openLocalModel } from './local-models.ts';
import { localOffer, modelOffers } from './model-offers.ts';
import { predictPlan } from './predict.ts';

export type ModelActions = Pick<
  SetupActions,
  'models' | 'folderModel' | 'searchHub' | 'predict' | 'pulls' | 'cancelPull' | 'pull' | 'deployModel'
>;

/**
 * @param home ESPALIER_HOME of this machine's controller and agent
 * @param url of the controller's API, now
 * @param columns of the terminal, now
 */
export function modelActions(home: string, url: () => string, columns: () => number): ModelActions {
  let local: LocalModel[] = [];
  const stored = () => askModels(url(), MODELS_PATH, ModelsReport);
  const withModel = <T>(path: string, model: string, schema: z.ZodType<T>) =>
    askModels(url(), `${path}?${new URLSearchParams({ model })}`, schema);
  const cluster = () => Promise.all([fetchStatus(url()), fetchLinks(url())]);
  const own = async () => (await loadIdentity(home, 'agent')).id;
  const localPlanner = async () => {
    const [{ nodes }, links] = await cluster();
    return ({ card }: LocalModel) => predictPlan(card, nodes, links);
  };
  return {
    async models() {
      const [report, catalogue, planned] = await Promise.all([
        stored(),
        askModels(url(), CATALOGUE_PATH, CatalogueReport),
        localPlanner(),
      ]);
      local = await localModels();
      return modelOffers({
        stored: report.models,
        catalogue: catalogue.models,
        local,
        costOf: (model) => withModel(DEPLOYMENT_PATH, model, SwitchCost),
        predictLocal: (model) => planned(model).predicted.oneStream,
      });
    },
    async folderModel(dir) {
      const model = await openLocalModel(dir);
      const planned = await localPlanner();
      local = [...local, model];
      return localOffer(model, { predictLocal: (each) => planned(each).predicted.oneStream });
    },
    async searchHub(q) {
      const path = `${SEARCH_MODELS_PATH}?${new URLSearchParams({ q })}`;
      return (await askModels(url(), path, SearchReport)).models;
    },
    async predict(offer) {
      const found = local.find(({ name }) => name === offer.name);
      // what the controller knows of, it plans for with what it has measured
      const told = withModel(MODEL_PLAN_PATH, offer.name, PlanReport);
      const plan = await told.catch(async (error) => {
        if (!found) throw error;
        return (await localPlanner())(found);
      });
      return { text: planText(plan, columns()), disks: diskNeeds(offer, plan, await stored(), await own()) };
    },
    async pulls() {
      return (
        (await fetchStatus(url())).pulls?.filter(
          ({ state }) => state === 'describing' || state === 'pulling',
        ) ?? []
      );
    },
    async cancelPull(model) {
      await askModels(url(), CANCEL_PULL_PATH, PullAnswer, { model });
    },
    async pull(model, tell, signal) {
      const there = storedNamed((await stored()).models, model);
      if (there && there.state !== 'partial') return there.id;
      const isFolder = isAbsolute(model);
      if (!isFolder && !RepoName.safeParse(model).success) {
        throw new EspalierError(
          'model_not_stored',
          `there is no stored model "${model}", and it is not organisation/name`,
        );
      }
      const body = { model, ...(isFolder && { node: await own() }) };
      const { pull } = await askModels(url(), PULL_MODEL_PATH, PullAnswer, body);
      return (await followPull(url(), pull, tell, signal)).model;
    },
    async deployModel(model, tell, signal) {
      const { cost } = await askModels(url(), DEPLOYMENT_PATH, SwitchAnswer, { model });
      await followSwitch(url(), cost.model, tell, signal);
    },
  };
}

function storedNamed(models: readonly StoredModel[], name: string): StoredModel | undefined {
  const short = models.filter(({ id }) => id.slice(id.indexOf('/') + 1) === name);
  return models.find(({ id }) => id === name) ?? (short.length === 1 ? short[0] : undefined);
}

/**
 * What a plan takes of the disks of its nodes. A node's share of the files is taken to be that of its weights in memory: files
 * are copied whole, so it may be one file more at each end of its layers.
 */
function diskNeeds(
  { name, place, sizeBytes }: ModelOffer,
  { stages }: PlanReport,
  { models, stores }: ModelsReport,
  ownId: string,
): DiskNeed[] {
  const stored = models.find(({ id }) => id === name);
  if (stored?.source === 'folder') return [];
  const all = stages.reduce((sum, { memory }) => sum + memory.weightBytes, 0);
  return stages.map(({ nodeId, node, memory }) => {
    const needBytes = all > 0 ? (sizeBytes * memory.weightBytes) / all : 0;
    const isHere = place === 'local' && nodeId === ownId;
    const held = stored?.heldBy?.find((each) => each.nodeId === nodeId)?.bytes ?? 0;
    const freeBytes = stores.find((store) => store.nodeId === nodeId)?.freeBytes ?? null;
    // it may hold other layers of it: that is seen when it is pulled
    return { node, needBytes, heldBytes: isHere ? needBytes : Math.min(held, needBytes), freeBytes };
  });
}
