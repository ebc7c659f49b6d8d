// The models that the wizard offers: the store's, the catalogue's, and those that lie on this machine, each once. What the
// controller knows of is predicted by the controller.
import type { ModelOffer } from '../../dashboard/setup/actions.ts';
import { EspalierError } from '../../protocol/errors.ts';
import type { CatalogueEntry, ModelsReport, StoredModel, SwitchCost } from '../../protocol/models.ts';
import type { LocalModel } from './local-models.ts';

/** What there is, as it was told at one time. */
export interface ModelScene {
  stored: ModelsReport['models'];
  catalogue: readonly CatalogueEntry[];
  local: readonly LocalModel[];
  /** what deploying a stored model would take; @throws what the API answers */
  costOf(model: string): Promise<SwitchCost>;
  /** predicted tokens per second of one stream; @throws EspalierError not_enough_nodes */
  predictLocal(model: LocalModel): number;
}

/** Those that fit first, of them the largest. */
export async function modelOffers(scene: ModelScene): Promise<ModelOffer[]> {
  const stored: ModelOffer[] = [];
  // one after the other: each is planned for
  for (const model of scene.stored) stored.push(await storedOffer(model, scene));
  const found = [
    ...stored,
    ...scene.catalogue.map((entry) => catalogueOffer(entry, scene)),
    ...scene.local.map((model) => localOffer(model, scene)),
  ];
  // of what has the same name, the store's comes first
  const each = new Map<string, ModelOffer>();
  for (const offer of found) if (!each.has(offer.name)) each.set(offer.name, offer);
  return [...each.values()].sort(
    (x, y) => Number(x.refused !== null) - Number(y.refused !== null) || y.sizeBytes - x.sizeBytes,
  );
}

export function localOffer(
  model: LocalModel,
  { predictLocal }: Pick<ModelScene, 'predictLocal'>,
): ModelOffer {
  const { fileBytes: sizeBytes, quantization } = model.card;
  const facts = { name: model.name, place: 'local', sizeBytes, quantization, licence: null } as const;
  try {
    return { ...facts, predicted: predictLocal(model), refused: null };
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error;
    return { ...facts, predicted: null, refused: error.message };
  }
}

function catalogueOffer(entry: CatalogueEntry, { local }: ModelScene): ModelOffer {
  const {
    repo: name,
    licence,
    bits,
    fileBytes: sizeBytes,
    tokensPerSecond: predicted,
    reason: refused,
  } = entry;
  const place = local.some((model) => model.name === name) ? 'local' : 'hub';
  return { name, place, sizeBytes, quantization: `${bits}-bit`, licence, predicted, refused };
}

async function storedOffer(model: StoredModel, { costOf }: ModelScene): Promise<ModelOffer> {
  const { id: name, state, licence, sizeBytes, quantization } = model;
  const facts = {
    name,
    place: state === 'ready' ? 'stored' : state,
    licence,
    sizeBytes,
    quantization,
  } as const;
  try {
    return { ...facts, predicted: (await costOf(name)).tokensPerSecond, refused: null };
  } catch (error) {
    return { ...facts, predicted: null, refused: (error as Error).message };
  }
}
