// The models that the wizard offers: the store's, the catalogue's, and those that lie on this machine, each once, with what is
// predicted for it on the nodes that are connected.
import { builtinCard } from '../../controller/models/builtin.ts';
import { readModelCard } from '../../controller/models/card.ts';
import { Shelf } from '../../controller/models/shelf.ts';
import type { ModelOffer } from '../../dashboard/setup/actions.ts';
import { EspalierError } from '../../protocol/errors.ts';
import type { LinksReport } from '../../protocol/links.ts';
import { openModelFolder } from '../../protocol/model-folder.ts';
import type { CatalogueReport, ModelsReport, StoredModel, SwitchCost } from '../../protocol/models.ts';
import type { ModelCard } from '../../protocol/plan.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import { demoModelDir } from '../cli/package-root.ts';
import type { LocalModel } from './local-models.ts';
import { predictPlan } from './predict.ts';

/** What there is, as it was told at one time. */
export interface ModelScene {
  /** ESPALIER_HOME of the controller */
  home: string;
  status: ClusterStatus;
  links: LinksReport;
  stored: ModelsReport;
  catalogue: CatalogueReport;
  local: readonly LocalModel[];
  /** what deploying a stored model would take; @throws what the API answers */
  costOf(model: string): Promise<SwitchCost>;
}

export interface CardedOffer {
  offer: ModelOffer;
  /** undefined of a folder that only the controller knows */
  card: ModelCard | undefined;
}

/** Those that fit first, of them the largest. */
export async function modelOffers(scene: ModelScene): Promise<CardedOffer[]> {
  const stored = await Promise.all(scene.stored.models.map((model) => storedOffer(model, scene)));
  const found = [
    ...stored,
    ...scene.local.map((model) => localOffer(model, scene)),
    ...scene.catalogue.models.map((entry): CardedOffer => {
      const { repo: name, licence, reason } = entry;
      const card = { ...builtinCard(entry.card), id: name };
      return {
        card,
        offer: offerOf({ name, place: 'hub', licence, sizeBytes: entry.fileBytes }, card, scene, reason),
      };
    }),
  ];
  // what is here comes first of what has the same name
  const each = new Map<string, CardedOffer>();
  for (const one of found) if (!each.has(one.offer.name)) each.set(one.offer.name, one);
  return [...each.values()].sort(
    ({ offer: x }, { offer: y }) =>
      Number(x.refused !== null) - Number(y.refused !== null) || y.sizeBytes - x.sizeBytes,
  );
}

export function localOffer({ name, card }: LocalModel, scene: ModelScene): CardedOffer {
  return {
    card,
    offer: offerOf({ name, place: 'local', licence: null, sizeBytes: card.fileBytes }, card, scene),
  };
}

async function storedOffer(model: StoredModel, scene: ModelScene): Promise<CardedOffer> {
  const { id: name, licence, sizeBytes, quantization } = model;
  const place = model.state === 'ready' ? 'stored' : model.state;
  const facts = { name, place, licence, sizeBytes } as const;
  const card = await cardOf(model, scene.home);
  if (card) return { card, offer: offerOf(facts, card, scene) };
  // its speed alone can be told, by the controller
  const offer = { ...facts, quantization };
  try {
    const { tokensPerSecond } = await scene.costOf(name);
    return { card, offer: { ...offer, predicted: tokensPerSecond, refused: null } };
  } catch (error) {
    return { card, offer: { ...offer, predicted: null, refused: (error as Error).message } };
  }
}

/** The controller is of this home: what it keeps of its models can be read here, and so can the demo model. */
async function cardOf({ id, source }: StoredModel, home: string): Promise<ModelCard | undefined> {
  if (source === 'folder') {
    const demo = await readModelCard(await openModelFolder(demoModelDir()));
    return demo.id === id ? demo : undefined;
  }
  const shelf = new Shelf(home);
  const shelved = await shelf.find(id);
  return shelved && readModelCard(await shelf.open(shelved), id);
}

function offerOf(
  facts: Pick<ModelOffer, 'name' | 'place' | 'licence' | 'sizeBytes'>,
  card: ModelCard,
  { status, links }: ModelScene,
  refused: string | null = null,
): ModelOffer {
  const { quantization } = card;
  if (refused !== null) return { ...facts, quantization, predicted: null, refused };
  try {
    const { predicted } = predictPlan(card, status.nodes, links);
    return { ...facts, quantization, predicted: predicted.oneStream, refused: null };
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error;
    return { ...facts, quantization, predicted: null, refused: error.message };
  }
}
