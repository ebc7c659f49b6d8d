// The store of models over all nodes: what is kept, pulled, checked and removed. The controller's API and its deployments ask
// here; the agents have the bytes. It must not know HTTP.
import { randomUUID } from 'node:crypto';
import { isAbsolute } from 'node:path';
import type { Logger } from 'pino';
import { asEspalierError, EspalierError, isErrorCode } from '../../protocol/errors.ts';
import type { Credentials } from '../../protocol/identity.ts';
import { MAX_SHOWN_PULLS, STORE_DESCRIBE_TIMEOUT_MS } from '../../protocol/limits.ts';
import { isHeadTied, type ModelFolder } from '../../protocol/model-folder.ts';
import {
  type FoundModel,
  type ModelDescription,
  type ModelsReport,
  type PullProgress,
  type PullRequest,
  type RemovedAnswer,
  RepoName,
  type StoredModel,
  totalBytes,
} from '../../protocol/models.ts';
import type { HostPort } from '../../protocol/node.ts';
import type { ModelCard, PlannedStage } from '../../protocol/plan.ts';
import { readModelCard } from './card.ts';
import { type FileMap, planNeeds } from './needs.ts';
import { nodeFiles } from './node-files.ts';
import { Pull, type StoreNodes } from './pull.ts';
import type { Shelf, Shelved } from './shelf.ts';
import { StoreAskFailed } from './store-asks.ts';

const LOCAL = 'local/';
/** A node that does not say at once what it holds is shown without. */
const LIST_TIMEOUT_MS = 5_000;

export interface ModelStoreDeps {
  nodes: StoreNodes & { addressOf(nodeId: string): HostPort | undefined };
  shelf: Shelf;
  /** of the controller */
  credentials: Credentials;
  /** the plan in force for a model, or the best one over the nodes that are connected; @throws EspalierError not_enough_nodes */
  planFor(
    card: ModelCard,
  ): { stages: readonly PlannedStage[] } | Promise<{ stages: readonly PlannedStage[] }>;
  /** the name of what is deployed, or about to be */
  inUse(): string | undefined;
  reserveBytes?: number | undefined;
  /** tells people */
  note(level: 'info' | 'warn' | 'error', text: string, fix?: string): void;
  /** models were pulled or removed */
  onChange(): void;
  log: Logger;
}

interface Job {
  progress: PullProgress;
  needs: ReturnType<typeof planNeeds>;
  pull: Pull | undefined;
  abort: AbortController;
  done: Promise<void>;
  /** whether people see it: a look that finds everything there is no pull */
  isShown: boolean;
}

export class ModelStore {
  readonly #deps: ModelStoreDeps;
  readonly #jobs: Job[] = [];
  /** what brings files for a deployment, by model */
  readonly #ensuring = new Map<string, Job>();

  constructor(deps: ModelStoreDeps) {
    this.#deps = deps;
  }

  /** Of those that run, and of the last ones that ended. */
  pulls(): PullProgress[] {
    return this.#jobs.filter(({ isShown }) => isShown).map((job) => this.#picture(job));
  }

  /** Models of the hub by words of their names. @throws EspalierError as an agent's hub does, not_ready without nodes */
  async search(text: string): Promise<FoundModel[]> {
    const nodeId = this.#anyNode();
    const { asks } = this.#deps.nodes;
    return (await this.#asked(nodeId, asks.ask(nodeId, { kind: 'store-search', text }, 'store-found')))
      .models;
  }

  /**
   * The stored model that a person means: its whole name, or its part after the slash where only one has it.
   * @throws EspalierError model_not_stored
   */
  async find(name: string): Promise<Shelved> {
    const all = await this.#deps.shelf.list();
    const isShort = ({ repo }: Shelved) => repo.slice(repo.indexOf('/') + 1) === name;
    const short = all.filter(isShort);
    const found = all.find(({ repo }) => repo === name) ?? (short.length === 1 ? short[0] : undefined);
    if (found) return found;
    const known =
      all.length === 0 ? 'the store is empty' : `stored are: ${all.map(({ repo }) => repo).join(', ')}`;
    throw new EspalierError('model_not_stored', `there is no stored model "${name.slice(0, 200)}"; ${known}`);
  }

  /** A stored model as a folder whose weights lie on the nodes. @throws EspalierError as `openModelFolder` does */
  open(model: Shelved): Promise<ModelFolder> {
    return this.#deps.shelf.open(model);
  }

  /** Begins a pull; one of the same model that runs is that pull. @throws EspalierError invalid_request, not_ready */
  pull(request: PullRequest): PullProgress {
    const isFolder = isAbsolute(request.model);
    if (!isFolder && !RepoName.safeParse(request.model).success) {
      const message = `model: "${request.model.slice(0, 200)}" is neither organisation/name nor an absolute path`;
      throw new EspalierError('invalid_request', message);
    }
    const running = this.#jobs.find(
      ({ progress }) => progress.model === request.model && isRunning(progress),
    );
    if (running) return this.#picture(running);
    const nodeId = request.node === undefined ? this.#anyNode() : this.#nodeNamed(request.node);
    const job = this.#begin('pull', request.model, true, async (own) => {
      const model = await this.#describe(own, nodeId, request, isFolder);
      own.progress.model = model.repo;
      own.progress.commit = model.commit;
      await this.#assertReplaceable(model);
      const shelved = await this.#shelve(nodeId, model, request.replicas);
      own.progress.state = 'pulling';
      const folder = await this.#deps.shelf.open(shelved);
      const plan = await this.#deps.planFor(await readModelCard(folder, shelved.repo));
      await this.#fetchAll(own, shelved, folder, plan.stages, request);
      this.#deps.onChange();
    });
    return this.#picture(job);
  }

  /** Reads every file of a model on every node, and fetches anew what is damaged. @throws EspalierError model_not_stored */
  async verify(name: string): Promise<PullProgress> {
    const model = await this.find(name);
    const running = this.#jobs.find(({ progress }) => progress.model === model.repo && isRunning(progress));
    if (running?.progress.kind === 'verify') return this.#picture(running);
    if (running) throw new EspalierError('model_in_use', `${model.repo} is being pulled`);
    const job = this.#begin('verify', model.repo, true, async (own) => {
      own.progress.state = 'verifying';
      own.progress.commit = model.commit;
      const folder = await this.#deps.shelf.open(model);
      const plan = await this.#deps.planFor(await readModelCard(folder, model.repo));
      await this.#fetchAll(own, model, folder, plan.stages, { replicas: model.replicas }, true);
    });
    return this.#picture(job);
  }

  /**
   * Resolves when every stage's node holds what it is to load. What is missing is pulled.
   * @param stages of the plan that is to be deployed
   * @throws EspalierError as a pull fails
   */
  async ensure(repo: string, stages: readonly PlannedStage[]): Promise<void> {
    const model = await this.find(repo);
    // an older plan's: what it has begun to fetch is gone on with
    this.#ensuring.get(repo)?.abort.abort(new EspalierError('not_ready', 'another plan was made'));
    const job = this.#begin('pull', repo, false, async (own) => {
      own.progress.state = 'pulling';
      own.progress.commit = model.commit;
      const folder = await this.#deps.shelf.open(model);
      await this.#fetchAll(own, model, folder, stages, { replicas: 1 });
    });
    this.#ensuring.set(repo, job);
    await job.done;
    if (this.#ensuring.get(repo) === job) this.#ensuring.delete(repo);
    const { failure, state } = job.progress;
    if (state === 'done') return;
    if (!failure) throw new EspalierError('not_ready', `the files of ${repo} are not fetched any more`);
    throw new EspalierError(isErrorCode(failure.code) ? failure.code : 'model_fetch_failed', failure.message);
  }

  /** Ends a pull; what has come stays, and the next one goes on from there. @throws EspalierError not_found */
  cancel(model: string): PullProgress {
    const job = this.#jobs.find(({ progress }) => progress.model === model && isRunning(progress));
    if (!job) throw new EspalierError('not_found', `there is no pull of "${model.slice(0, 200)}" that runs`);
    job.abort.abort(new EspalierError('not_ready', 'it was cancelled'));
    job.progress.state = 'cancelled';
    return this.#picture(job);
  }

  /** Removes a model from all connected nodes. @throws EspalierError model_not_stored, model_in_use */
  async remove(name: string): Promise<RemovedAnswer> {
    const { repo } = await this.find(name);
    if (this.#deps.inUse() === repo) throw new EspalierError('model_in_use', `${repo} is deployed`);
    if (this.#jobs.some(({ progress }) => progress.model === repo && isRunning(progress)))
      throw new EspalierError('model_in_use', `${repo} is being pulled`);
    const { nodes, shelf } = this.#deps;
    const freed = await Promise.all(
      nodes.connected().map(async ({ id, name: node }) => {
        const asked = nodes.asks.ask(id, { kind: 'store-remove', repo }, 'store-done');
        return { node, bytes: (await this.#asked(id, asked)).bytes };
      }),
    );
    await shelf.remove(repo);
    this.#deps.onChange();
    const touched = freed.filter(({ bytes }) => bytes > 0);
    return {
      model: repo,
      freedBytes: touched.reduce((sum, { bytes }) => sum + bytes, 0),
      nodes: touched.map(({ node }) => node),
    };
  }

  /** What is stored, and what each node holds of it. @param deployed a folder that is in force, or undefined */
  async report(): Promise<Pick<ModelsReport, 'models' | 'pulls' | 'stores'>> {
    const { shelf, nodes } = this.#deps;
    const models = await shelf.list();
    const connected = nodes.connected();
    const stores = new Map(
      connected.map(({ id, name }) => [
        id,
        { nodeId: id, node: name, folder: null as string | null, freeBytes: null as number | null },
      ]),
    );
    const told = await Promise.all(
      models.map(async (model) => {
        const folder = await shelf.open(model);
        const card = await readModelCard(folder, model.repo);
        const held = await Promise.all(
          connected.map(async ({ id, name }) => {
            const paths = await this.#heldBy(id, model, stores.get(id));
            const files = model.files.filter(({ path }) => paths.has(path));
            return { nodeId: id, node: name, paths, files: files.length, bytes: totalBytes(files) };
          }),
        );
        const missing = model.files.filter(({ path }) => !held.some(({ paths }) => paths.has(path))).length;
        return storedModel(model, card, held, missing, this.#deps.inUse() === model.repo);
      }),
    );
    if (models.length === 0) {
      const nobody = { repo: 'none/none', commit: '0'.repeat(40), files: [] };
      await Promise.all(connected.map(({ id }) => this.#heldBy(id, nobody, stores.get(id))));
    }
    return { models: told, pulls: this.pulls(), stores: [...stores.values()] };
  }

  /** Bytes that the nodes of a plan do not hold yet. */
  async missingBytes(model: Shelved, stages: readonly PlannedStage[]): Promise<number> {
    const needs = planNeeds(await fileMap(model, await this.#deps.shelf.open(model)), stages, [], 1);
    const each = await Promise.all(
      needs.map(async ({ nodeId, files }) => {
        const paths = await this.#heldBy(nodeId, model, undefined);
        return totalBytes(files.filter(({ path }) => !paths.has(path)));
      }),
    );
    return each.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Ends all that runs. */
  stop(): void {
    for (const { abort } of this.#jobs)
      abort.abort(new EspalierError('not_ready', 'the controller is stopping'));
  }

  async #heldBy(
    nodeId: string,
    { repo, commit, files }: Pick<ModelDescription, 'repo' | 'commit' | 'files'>,
    store: { folder: string | null; freeBytes: number | null } | undefined,
  ): Promise<Set<string>> {
    const question = { kind: 'store-holds', model: { repo, commit }, files } as const;
    const asked = this.#deps.nodes.asks.ask(nodeId, question, 'store-held', { timeoutMs: LIST_TIMEOUT_MS });
    const held = await asked.catch(() => undefined);
    if (held && store) {
      store.folder = held.folder;
      store.freeBytes = held.freeBytes;
    }
    return new Set(held?.paths ?? []);
  }

  #begin(
    kind: PullProgress['kind'],
    model: string,
    isShown: boolean,
    task: (job: Job) => Promise<void>,
  ): Job {
    const progress: PullProgress = {
      id: randomUUID(),
      kind,
      model,
      commit: '',
      state: 'describing',
      failure: null,
      damaged: [],
      totalBytes: 0,
      doneBytes: 0,
      hubBytes: 0,
      copiedBytes: 0,
      bytesPerSecond: null,
      remainingSeconds: null,
      nodes: [],
    };
    const job: Job = {
      progress,
      needs: [],
      pull: undefined,
      abort: new AbortController(),
      done: Promise.resolve(),
      isShown,
    };
    this.#jobs.push(job);
    this.#forgetOld();
    job.done = task(job).then(
      () => this.#ended(job, 'done'),
      (error) => {
        const { code, message } = asEspalierError(error);
        if (!job.abort.signal.aborted) progress.failure = { code, message };
        this.#ended(job, job.abort.signal.aborted ? 'cancelled' : 'failed');
      },
    );
    return job;
  }

  #ended(job: Job, state: 'done' | 'failed' | 'cancelled'): void {
    job.progress = { ...this.#picture(job), state };
    job.pull = undefined;
    if (!job.isShown) {
      this.#jobs.splice(this.#jobs.indexOf(job), 1);
      return;
    }
    const { model, failure, hubBytes, copiedBytes, kind } = job.progress;
    const moved = `${gb(hubBytes)} from the hub, ${gb(copiedBytes)} between nodes`;
    const word = kind === 'pull' ? 'pulled' : 'verified';
    if (failure) this.#deps.note('error', `${model} could not be ${word}: ${failure.message}`);
    else
      this.#deps.note(
        'info',
        state === 'done' ? `${model} is ${word}: ${moved}` : `the pull of ${model} was cancelled`,
      );
  }

  #forgetOld(): void {
    const ended = this.#jobs.filter(({ progress }) => !isRunning(progress));
    for (const job of ended.slice(0, Math.max(0, ended.length - MAX_SHOWN_PULLS)))
      this.#jobs.splice(this.#jobs.indexOf(job), 1);
  }

  #picture({ progress, needs, pull }: Job): PullProgress {
    if (!pull) return progress;
    const { nodes } = this.#deps;
    const nameOf = (nodeId: string) => nodes.nameOf(nodeId);
    return { ...progress, ...pull.meter.picture(needs, pull.transfers, nameOf, performance.now()) };
  }

  async #describe(
    { abort }: Job,
    nodeId: string,
    { model, revision = 'main' }: PullRequest,
    isFolder: boolean,
  ): Promise<ModelDescription> {
    const { asks } = this.#deps.nodes;
    const { signal } = abort;
    const asked = isFolder
      ? asks.askLong(nodeId, { kind: 'store-import', folder: model }, 'store-described', { signal })
      : asks.ask(nodeId, { kind: 'store-describe', repo: model, revision }, 'store-described', {
          signal,
          timeoutMs: STORE_DESCRIBE_TIMEOUT_MS,
        });
    return (await this.#asked(nodeId, asked)).model;
  }

  /** Stages that are deployed are of one commit, and are deployed again of the same. @throws EspalierError model_in_use */
  async #assertReplaceable({ repo, commit }: ModelDescription): Promise<void> {
    const before = await this.#deps.shelf.find(repo);
    if (!before || before.commit === commit || this.#deps.inUse() !== repo) return;
    const message = `${repo} is deployed at ${before.commit.slice(0, 12)}, and another commit of it is to be pulled`;
    throw new EspalierError('model_in_use', message);
  }

  /** Keeps what the controller needs of it; a commit that is kept already is not read again. */
  async #shelve(nodeId: string, model: ModelDescription, replicas: number): Promise<Shelved> {
    const { shelf, nodes, credentials } = this.#deps;
    const before = await shelf.find(model.repo);
    if (before?.commit === model.commit) {
      if (before.replicas === replicas) return before;
      const changed = { ...before, replicas };
      await shelf.update(changed);
      return changed;
    }
    const [address, key] = [nodes.addressOf(nodeId), nodes.keyOf(nodeId)];
    const name = nodes.nameOf(nodeId);
    if (!address || key === undefined) throw new EspalierError('model_fetch_failed', `${name} is gone`);
    return shelf.put(model, replicas, nodeFiles({ name, address, key }, credentials, model));
  }

  async #fetchAll(
    job: Job,
    model: Shelved,
    folder: ModelFolder,
    stages: readonly PlannedStage[],
    { replicas, limitBytesPerSecond }: Pick<PullRequest, 'replicas' | 'limitBytesPerSecond'>,
    verifies = false,
  ): Promise<void> {
    const { nodes, reserveBytes, log } = this.#deps;
    const others = nodes
      .connected()
      .flatMap(({ id }) => (stages.some(({ nodeId }) => nodeId === id) ? [] : [id]));
    job.needs = planNeeds(await fileMap(model, folder), stages, others, replicas);
    job.pull = new Pull(nodes, {
      model,
      needs: job.needs,
      hasHub: !model.repo.startsWith(LOCAL),
      limitBytesPerSecond,
      verifies,
      reserveBytes,
      onDamaged: (text) => {
        log.warn(`${text} of ${model.repo} is damaged`);
        if (job.progress.damaged.length < 50) job.progress.damaged.push(text);
      },
      onFetching: () => {
        job.progress.state = 'pulling';
        job.isShown = true;
      },
      signal: job.abort.signal,
    });
    await job.pull.run();
  }

  /** @throws EspalierError not_ready */
  #anyNode(): string {
    const [first] = this.#deps.nodes.connected();
    if (first) return first.id;
    throw new EspalierError('not_ready', 'no node is connected that could ask the hub');
  }

  /** @throws EspalierError invalid_request */
  #nodeNamed(wanted: string): string {
    const found = this.#deps.nodes.connected().find(({ id, name }) => id === wanted || name === wanted);
    if (found) return found.id;
    throw new EspalierError('invalid_request', `node: there is no connected node "${wanted}"`);
  }

  async #asked<T>(nodeId: string, answer: Promise<T>): Promise<T> {
    return answer.catch((error) => {
      throw error instanceof StoreAskFailed ? error.toEspalierError(this.#deps.nodes.nameOf(nodeId)) : error;
    });
  }
}

async function fileMap(model: Shelved, folder: ModelFolder): Promise<FileMap> {
  const { config, fileOf } = folder;
  const isTied = isHeadTied(config, (tensor) => fileOf.has(tensor));
  return { files: model.files, fileOf, layerCount: config.num_hidden_layers, isHeadTied: isTied };
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

function isRunning({ state }: PullProgress): boolean {
  return state === 'describing' || state === 'verifying' || state === 'pulling';
}

function gb(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
