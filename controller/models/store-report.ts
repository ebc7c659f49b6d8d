// What the store holds, asked of the nodes: models, their files, and the room on the nodes' disks. It changes nothing.

import { isHeadTied, type ModelFolder } from '../../protocol/model-folder.ts';
import {
  type ModelDescription,
  type ModelsReport,
  type StoredModel,
  totalBytes,
} from '../../protocol/models.ts';
import type { ModelCard } from '../../protocol/plan.ts';
import { readModelCard } from './card.ts';
import { type FileMap, type PlanOfFiles, planNeeds } from './needs.ts';
import type { StoreNodes } from './pull.ts';
import type { Shelf, Shelved } from './shelf.ts';

/** A node that does not say at once what it holds is shown without. */
const LIST_TIMEOUT_MS = 5_000;
/** Asked for by this name, a node tells of its disk alone. */
const NO_MODEL = { repo: 'none/none', commit: '0'.repeat(40), files: [] };

type Disk = ModelsReport['stores'][number];

/** Every stored model with what each connected node holds of it. @param inUse the name of what is deployed */
export async function storeReport(
  shelf: Shelf,
  nodes: StoreNodes,
  inUse: string | undefined,
): Promise<Pick<ModelsReport, 'models' | 'stores'>> {
  const models = await shelf.list();
  const connected = nodes.connected();
  const stores = new Map(connected.map(({ id, name }) => [id, diskOf(id, name)]));
  const told = await Promise.all(
    models.map(async (model) => {
      const folder = await shelf.open(model);
      const card = await readModelCard(folder, model.repo);
      const held = await Promise.all(
        connected.map(async ({ id, name }) => {
          const paths = await heldBy(nodes, id, model, stores.get(id));
          const files = model.files.filter(({ path }) => paths.has(path));
          return { nodeId: id, node: name, paths, files: files.length, bytes: totalBytes(files) };
        }),
      );
      const missing = model.files.filter(({ path }) => !held.some(({ paths }) => paths.has(path))).length;
      return storedModel(model, card, held, missing, inUse === model.repo);
    }),
  );
  if (models.length === 0) {
    await Promise.all(connected.map(({ id }) => heldBy(nodes, id, NO_MODEL, stores.get(id))));
  }
  return { models: told, stores: [...stores.values()] };
}

/** Bytes that the nodes of a plan do not hold yet. */
export async function missingBytes(
  shelf: Shelf,
  nodes: StoreNodes,
  model: Shelved,
  plan: PlanOfFiles,
): Promise<number> {
  const needs = planNeeds(fileMap(model, await shelf.open(model)), plan, [], 1);
  const each = await Promise.all(
    needs.map(async ({ nodeId, files }) => {
      const paths = await heldBy(nodes, nodeId, model, undefined);
      return totalBytes(files.filter(({ path }) => !paths.has(path)));
    }),
  );
  return each.reduce((sum, bytes) => sum + bytes, 0);
}

/** Where the tensors of a stored model are. */
export function fileMap(model: Shelved, folder: ModelFolder): FileMap {
  const { config, fileOf } = folder;
  const isTied = isHeadTied(config, (tensor) => fileOf.has(tensor));
  return { files: model.files, fileOf, layerCount: config.num_hidden_layers, isHeadTied: isTied };
}

async function heldBy(
  nodes: StoreNodes,
  nodeId: string,
  { repo, commit, files }: Pick<ModelDescription, 'repo' | 'commit' | 'files'>,
  store: Disk | undefined,
): Promise<Set<string>> {
  const question = { kind: 'store-holds', model: { repo, commit }, files } as const;
  const asked = nodes.asks.ask(nodeId, question, 'store-held', { timeoutMs: LIST_TIMEOUT_MS });
  const held = await asked.catch(() => undefined);
  if (held && store) {
    store.folder = held.folder;
    store.freeBytes = held.freeBytes;
  }
  return new Set(held?.paths ?? []);
}

function diskOf(nodeId: string, node: string): Disk {
  return { nodeId, node, folder: null, freeBytes: null };
}

function storedModel(
  { repo, commit, files, licence }: Shelved,
  card: ModelCard,
  held: readonly { nodeId: string; node: string; files: number; bytes: number }[],
  missingFiles: number,
  isDeployed: boolean,
): StoredModel {
  return {
    id: repo,
    commit,
    state: isDeployed ? 'deployed' : missingFiles === 0 ? 'ready' : 'partial',
    source: 'store',
    architecture: card.architecture,
    quantization: card.quantization,
    layerCount: card.layerCount,
    sizeBytes: totalBytes(files),
    licence,
    heldBy: held
      .filter(({ files: count }) => count > 0)
      .map(({ nodeId, node, files: count, bytes }) => ({ nodeId, node, files: count, bytes })),
    missingFiles,
  };
}
