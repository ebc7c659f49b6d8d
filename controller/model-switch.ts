// Which model answers: the one that is deployed, those that could take its place, and the change from one to another. One is
// deployed at a time. It must not know HTTP, nor how files come to nodes.
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { asEspalierError, EspalierError } from '../protocol/errors.ts';
import type { Credentials } from '../protocol/identity.ts';
import { SWITCH_DRAIN_MS } from '../protocol/limits.ts';
import type { ModelFolder } from '../protocol/model-folder.ts';
import type {
  CatalogueReport,
  DeploymentReport,
  ModelsReport,
  StoredModel,
  SwitchCost,
} from '../protocol/models.ts';
import type { ModelCard, Plan } from '../protocol/plan.ts';
import type { PlanReport } from '../protocol/plan-report.ts';
import type { ListedModel } from './api/models.ts';
import { listedModel } from './api/models.ts';
import type { Core } from './core.ts';
import type { ModelPlace } from './deploy.ts';
import { chooseSpeculation, type SpeculationWish, yieldWithoutDraft } from './draft-model.ts';
import { fetchedPlan } from './fetched-plan.ts';
import { readModelCard } from './models/card.ts';
import { catalogue, catalogueCard } from './models/catalogue.ts';
import { readModelFacts } from './models/listed.ts';
import { ModelStore } from './models/model-store.ts';
import type { Shelf, Shelved } from './models/shelf.ts';
import { TYPICAL_CONTEXT_TOKENS } from './planner/cost.ts';
import { predictPlan } from './planner/predict-plan.ts';
import { planReport } from './planner/report.ts';
import { loadTextModel, type TextModel } from './text-model.ts';

/** A guess at what a stage reads from its disk: half of what an Apple SSD can do, for it packs and checks as it reads. */
const LOAD_BYTES_PER_SECOND = 2e9;
const LOOK_MS = 50;

/** A model with everything that answering by it takes. */
export interface ModelInUse {
  card: ModelCard;
  place: ModelPlace;
  text: TextModel;
  listed: ListedModel;
  /** the share of guesses that is taken to be right before any was measured */
  guessYield: number;
  /** why it has no draft where there could be one */
  note: string | undefined;
}

export interface LoadOptions {
  /** what clients call it, where that is not the folder's name */
  id?: string | undefined;
  stored?: ModelPlace['stored'];
  /** what its deployments guess with; they do not guess without it */
  speculation?: SpeculationWish;
}

/** @throws EspalierError as `openModelFolder`, `loadTextModel` and `chooseSpeculation` do */
export async function loadModel(folder: ModelFolder, options: LoadOptions = {}): Promise<ModelInUse> {
  const { id, stored, speculation: wish = { mode: 'off', contextTokens: 0 } } = options;
  const { card, speculation, guessYield, note } = await toPlan(folder, id, wish);
  const text = await loadTextModel(folder.dir, { id: card.id });
  const listed = listedModel(await readModelFacts(folder, card), text);
  const { dir, fingerprint } = folder;
  const place = { dir, fingerprint, speculation, ...(stored && { stored }) };
  return { card, place, text, listed, guessYield, note };
}

/** What a plan for a model is made from, with what it guesses with. */
async function toPlan(
  folder: ModelFolder,
  id: string | undefined,
  wish: SpeculationWish,
): Promise<Pick<ModelInUse, 'card' | 'guessYield' | 'note'> & { speculation: ModelPlace['speculation'] }> {
  const { spec: speculation, draft, guessYield, note } = await chooseSpeculation(folder, wish);
  const card = { ...(await readModelCard(folder, id)), ...(draft && { draft }) };
  return { card, speculation, guessYield, note };
}

/** A draft that was named is one model's: any other guesses with what it has itself. */
export function ofAnyModel({ mode, contextTokens }: SpeculationWish): SpeculationWish {
  return { mode: mode === 'draft' ? 'auto' : mode, contextTokens };
}

/** What is to take the place of the model that is deployed. */
interface Target {
  card: ModelCard;
  guessYield: number;
  /** undefined: the folder of the controller's --model */
  shelved: Shelved | undefined;
}

export interface ModelSwitchOptions {
  core: Core;
  shelf: Shelf;
  /** of the controller */
  credentials: Credentials;
  /** what is deployed first */
  current: ModelInUse;
  /** of the controller's --model, where there is one */
  folder: ModelInUse | undefined;
  /** what other models guess with */
  speculation: SpeculationWish;
  diskReserveBytes?: number | undefined;
  log: Logger;
}

export class ModelSwitch {
  readonly store: ModelStore;
  readonly #options: ModelSwitchOptions;
  #current: ModelInUse;
  /** it can be gone back to */
  readonly #folder: ModelInUse | undefined;
  #known: ListedModel[] = [];
  #switchingTo: string | undefined;
  #failure: { code: string; message: string } | null = null;
  #isStopping = false;

  constructor(options: ModelSwitchOptions) {
    const { core, shelf, credentials, current, diskReserveBytes: reserveBytes, log } = options;
    this.#options = options;
    this.#current = current;
    this.#folder = options.folder;
    this.store = new ModelStore({
      nodes: core.storeNodes,
      shelf,
      credentials,
      planFor: (card, before) =>
        core.plans.inForce(card.id) ?? core.plans.planFor(card, before, this.#usualYield),
      inUse: () => this.#switchingTo ?? this.#current.card.id,
      reserveBytes,
      note: (level, text, fix) => core.note(level, text, fix),
      onChange: () => void this.#learnKnown(),
      log,
    });
    void this.#learnKnown();
  }

  get text(): TextModel {
    return this.#current.text;
  }

  /** All that clients may name, the deployed one first. */
  models(): ListedModel[] {
    // what the plan has KV for may be less than the model's own context
    const deployed = { ...this.#current.listed, contextTokens: this.#options.core.contextTokens };
    const folder = this.#folder && this.#folder !== this.#current ? [known(this.#folder.listed)] : [];
    return [deployed, ...folder, ...this.#known.filter(({ id }) => id !== deployed.id)];
  }

  async report(): Promise<ModelsReport> {
    const report = await this.store.report();
    if (!this.#folder) return report;
    return {
      ...report,
      models: [folderModel(this.#folder, this.#folder === this.#current), ...report.models],
    };
  }

  /** What the cluster could hold, best first. */
  async catalogue(): Promise<CatalogueReport> {
    const { core } = this.#options;
    const models = await catalogue({
      requestFor: (card) => core.plans.requestFor(card, this.#usualYield),
      planFor: (card) => core.plans.planFor(card, undefined, this.#usualYield),
    });
    return { models, nodes: core.storeNodes.connected().length };
  }

  /**
   * The plan that a model would get, on paper: of one that is stored, or of the catalogue.
   * @throws EspalierError model_not_stored, not_enough_nodes
   */
  async planOf(name: string): Promise<PlanReport> {
    const { plans } = this.#options.core;
    const target = await this.#target(name).catch((error) => {
      const card = catalogueCard(name);
      if (!card) throw error;
      return { card, guessYield: this.#usualYield };
    });
    const plan = await this.#planFor(target);
    return planReport(plans.requestBehind(target.card, plan), plan);
  }

  deployment(): DeploymentReport {
    const { id } = this.#current.card;
    return { model: id, switchingTo: this.#switchingTo ?? null, failure: this.#failure };
  }

  /** @throws EspalierError model_not_stored, not_enough_nodes */
  async cost(name: string): Promise<SwitchCost> {
    const target = await this.#target(name);
    return this.#costOf(target, await this.#planFor(target));
  }

  /**
   * Deploys a model in the place of the present one: at once where everything is there, otherwise when it has been pulled.
   * Requests that run have SWITCH_DRAIN_MS to end.
   * @returns what it costs, before any of it is done
   * @throws EspalierError model_not_stored, not_enough_nodes; not_ready while another switch goes on
   */
  async use(name: string): Promise<{ cost: SwitchCost; isDeployed: boolean }> {
    const target = await this.#target(name);
    const { card } = target;
    this.#assertFree(card.id);
    const plan = await this.#planFor(target);
    const cost = await this.#costOf(target, plan);
    if (card.id === this.#current.card.id) return { cost, isDeployed: true };
    if (this.#switchingTo === card.id) return { cost, isDeployed: false };
    this.#assertFree(card.id);
    void this.#switch(target, async () => {
      const fetched = await this.#withFiles(target, plan);
      await this.#drained(SWITCH_DRAIN_MS);
      return fetched;
    });
    return { cost, isDeployed: false };
  }

  /**
   * The same for a client that asked for a model: only where nobody is disturbed and nothing has to be fetched.
   * @throws EspalierError not_ready with what is in the way, model_not_stored, not_enough_nodes
   */
  async autoLoad(name: string): Promise<void> {
    if (this.#switchingTo === name) return this.#untilSwitched();
    const target = await this.#target(name);
    const { card, shelved } = target;
    if (card.id === this.#current.card.id) return undefined;
    this.#assertFree(card.id);
    const plan = await this.#planFor(target);
    const missing = shelved ? await this.store.missingBytes(shelved, plan) : 0;
    if (missing > 0) {
      const message = `${name} is not deployed, and ${missing} bytes of it are still to be fetched: \`espalier models use ${name}\` does both`;
      throw new EspalierError('not_ready', message);
    }
    const { requests } = this.#options.core;
    if (requests.running + requests.waiting > 0)
      throw new EspalierError(
        'not_ready',
        `${this.#current.card.id} answers requests; ${name} takes its place when they have ended`,
      );
    this.#assertFree(card.id);
    await this.#switch(target, async () => plan);
    if (this.#failure) throw new EspalierError('not_ready', this.#failure.message);
    return undefined;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.store.stop();
    const texts = new Set([this.#current.text, ...(this.#folder ? [this.#folder.text] : [])]);
    await Promise.all([...texts].map((text) => text.close()));
  }

  /** @param prepare gives the plan to deploy when all is ready for it */
  async #switch({ card: { id }, shelved }: Target, prepare: () => Promise<Plan>): Promise<void> {
    const { core, shelf } = this.#options;
    this.#switchingTo = id;
    this.#failure = null;
    try {
      const plan = await prepare();
      const next = shelved ? await this.#load(shelved) : this.#folder;
      if (!next || this.#isStopping) return;
      const before = this.#current;
      this.#current = next;
      this.store.leaveDeployed();
      core.deployModel(next.card, next.place, plan, next.guessYield);
      if (before !== this.#folder) await before.text.close();
      await shelf.setLastUsed(shelved?.repo);
    } catch (error) {
      const { code, message } = asEspalierError(error);
      this.#failure = { code, message };
      core.note('error', `${id} could not be deployed: ${message}`);
    } finally {
      this.#switchingTo = undefined;
    }
  }

  /** What is deployed stays as it is; what was pulled is deployed as it was pulled for, where that is no worse by much. */
  async #planFor({ card, guessYield }: Pick<Target, 'card' | 'guessYield'>): Promise<Plan> {
    const { core } = this.#options;
    return core.plans.inForce(card.id) ?? core.plans.planFor(card, this.store.planOf(card.id), guessYield);
  }

  /** @returns the plan to deploy, whose files are there. @throws EspalierError as a pull fails, not_enough_nodes */
  async #withFiles({ card, shelved, guessYield }: Target, first: Plan): Promise<Plan> {
    if (!shelved) return first;
    return fetchedPlan(first, {
      fetch: (plan) => this.store.ensure(shelved.repo, plan),
      planAgain: (before) => this.#options.core.plans.planFor(card, before, guessYield),
    });
  }

  /** What plans for a model take to be right of its guesses, before it is known whether it has a draft. */
  get #usualYield(): number {
    return yieldWithoutDraft(this.#options.speculation.mode);
  }

  async #untilSwitched(): Promise<void> {
    while (this.#switchingTo !== undefined) await delay(LOOK_MS);
    if (this.#failure) throw new EspalierError('not_ready', this.#failure.message);
  }

  async #drained(timeoutMs: number): Promise<void> {
    const { requests } = this.#options.core;
    const deadline = performance.now() + timeoutMs;
    while (requests.running + requests.waiting > 0 && performance.now() < deadline) await delay(LOOK_MS);
  }

  #assertFree(id: string): void {
    if (this.#switchingTo === undefined || this.#switchingTo === id) return;
    throw new EspalierError('not_ready', `${this.#switchingTo} is being deployed: one switch at a time`);
  }

  async #load(shelved: Shelved): Promise<ModelInUse> {
    const { speculation } = this.#options;
    const stored = this.#stored(shelved);
    return loadModel(await this.store.open(shelved), { id: shelved.repo, stored, speculation });
  }

  #stored({ repo, commit }: { repo: string; commit: string }): NonNullable<ModelPlace['stored']> {
    return { ref: { repo, commit }, ensure: (plan) => this.store.ensureDeployed(repo, plan) };
  }

  async #target(name: string): Promise<Target> {
    if (this.#folder?.card.id === name) return { ...this.#folder, shelved: undefined };
    const shelved = await this.store.find(name);
    const folder = await this.store.open(shelved);
    return { ...(await toPlan(folder, shelved.repo, this.#options.speculation)), shelved };
  }

  async #costOf({ card, shelved }: Target, plan: Plan): Promise<SwitchCost> {
    const { core } = this.#options;
    const isSame = card.id === this.#current.card.id;
    const bytes = plan.stages.map(({ weightBytes }) => weightBytes);
    return {
      model: card.id,
      replaces: isSame ? null : this.#current.card.id,
      missingBytes: shelved ? await this.store.missingBytes(shelved, plan) : 0,
      loadBytes: isSame ? 0 : bytes.reduce((sum, each) => sum + each, 0),
      nodes: plan.stages.length,
      loadSeconds: isSame ? 0 : Math.max(...bytes) / LOAD_BYTES_PER_SECOND,
      tokensPerSecond: predictPlan(core.plans.requestBehind(card, plan), plan, 1, TYPICAL_CONTEXT_TOKENS),
      requests: core.requests.running + core.requests.waiting,
    };
  }

  /** What clients may name: stored models, with what only their templates and headers tell. */
  async #learnKnown(): Promise<void> {
    const { shelf, log } = this.#options;
    const known: ListedModel[] = [];
    for (const shelved of await shelf.list()) {
      try {
        known.push(await this.#listed(shelved));
      } catch (error) {
        log.warn({ model: shelved.repo, reason: String(error) }, 'a stored model cannot be listed');
      }
    }
    this.#known = known;
  }

  async #listed(shelved: Shelved): Promise<ListedModel> {
    const folder = await this.store.open(shelved);
    const card = await readModelCard(folder, shelved.repo);
    if (!shelved.facts) {
      const loaded = await loadModel(folder, { id: shelved.repo });
      await loaded.text.close();
      const { hasTools, hasReasoning, parameters } = loaded.listed;
      await this.#options.shelf.update({ ...shelved, facts: { hasTools, hasReasoning, parameters } });
      return known(loaded.listed);
    }
    const facts = await readModelFacts(folder, card);
    const { hasTools, hasReasoning } = shelved.facts;
    return { ...facts, hasTools, hasReasoning, state: 'known', contextTokens: card.contextTokens };
  }
}

function known(listed: ListedModel): ListedModel {
  return { ...listed, state: 'known' };
}

function folderModel({ card, listed }: ModelInUse, isDeployed: boolean): StoredModel {
  return {
    id: card.id,
    commit: null,
    state: isDeployed ? 'deployed' : 'ready',
    source: 'folder',
    architecture: card.architecture,
    quantization: card.quantization,
    layerCount: card.layerCount,
    sizeBytes: listed.sizeBytes,
    licence: null,
    heldBy: null,
    missingFiles: 0,
  };
}
