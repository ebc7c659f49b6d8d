// The store of models over all nodes: what is kept, pulled, checked and removed. The controller's API and its deployments ask
// here; the agents have the bytes. It must not know HTTP.
import { isAbsolute } from 'node:path';
import type { Logger } from 'pino';
import { EspalierError } from '../../protocol/errors.ts';
import type { Credentials } from '../../protocol/identity.ts';
import { STORE_DESCRIBE_TIMEOUT_MS } from '../../protocol/limits.ts';
import type { ModelFolder } from '../../protocol/model-folder.ts';
import {
  type FoundModel,
  type ModelDescription,
  type ModelsReport,
  type PullProgress,
  type PullRequest,
  type RemovedAnswer,
  RepoName,
} from '../../protocol/models.ts';
import type { HostPort } from '../../protocol/node.ts';
import type { ModelCard, Plan } from '../../protocol/plan.ts';
import { readModelCard } from './card.ts';
import { type PlanOfFiles, planNeeds } from './needs.ts';
import { nodeFiles } from './node-files.ts';
import { Pull, type StoreNodes } from './pull.ts';
import { type Job, PullJobs } from './pull-jobs.ts';
import type { Shelf, Shelved } from './shelf.ts';
import { StoreAskFailed } from './store-asks.ts';
import { fileMap, missingBytes, storeReport } from './store-report.ts';

const LOCAL = 'local/';

export interface ModelStoreDeps {
  nodes: StoreNodes & { addressOf(nodeId: string): HostPort | undefined };
  shelf: Shelf;
  /** of the controller */
  credentials: Credentials;
  /** the plan in force for a model, or the best one over the nodes that are connected; @throws EspalierError not_enough_nodes */
  planFor(card: ModelCard, before: Plan | undefined): Plan | Promise<Plan>;
  /** the name of what is deployed, or about to be */
  inUse(): string | undefined;
  reserveBytes?: number | undefined;
  /** tells people */
  note(level: 'info' | 'warn' | 'error', text: string, fix?: string): void;
  /** models were pulled or removed */
  onChange(): void;
  log: Logger;
}

export class ModelStore {
  readonly #deps: ModelStoreDeps;
  readonly #jobs: PullJobs;
  /** what brings files for a deployment, by model */
  readonly #ensuring = new Map<string, Job>();
  /** of these, the one of the model that is deployed */
  #deploying: Job | undefined;
  /** what models were pulled for since this controller began */
  readonly #plans = new Map<string, Plan>();

  constructor(deps: ModelStoreDeps) {
    this.#deps = deps;
    const { nodes, note } = deps;
    this.#jobs = new PullJobs({ nameOf: (nodeId) => nodes.nameOf(nodeId), note });
  }

  /** Of those that run, and of the last ones that ended. */
  pulls(): PullProgress[] {
    return this.#jobs.shown();
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
    const running = this.#jobs.running(request.model);
    if (running) return this.#jobs.picture(running);
    const nodeId = request.node === undefined ? this.#anyNode() : this.#nodeNamed(request.node);
    const job = this.#jobs.begin('pull', request.model, true, async (own) => {
      const model = await this.#describe(own, nodeId, request, isFolder);
      own.progress.model = model.repo;
      own.progress.commit = model.commit;
      await this.#assertReplaceable(model);
      const shelved = await this.#shelve(nodeId, model, request.replicas);
      own.progress.state = 'pulling';
      const folder = await this.#deps.shelf.open(shelved);
      const plan = await this.#planFor(shelved, folder);
      await this.#fetchAll(own, shelved, folder, plan, request);
      this.#deps.onChange();
    });
    return this.#jobs.picture(job);
  }

  /** Reads every file of a model on every node, and fetches anew what is damaged. @throws EspalierError model_not_stored */
  async verify(name: string): Promise<PullProgress> {
    const model = await this.find(name);
    const running = this.#jobs.running(model.repo);
    if (running?.progress.kind === 'verify') return this.#jobs.picture(running);
    if (running) throw new EspalierError('model_in_use', `${model.repo} is being pulled`);
    const job = this.#jobs.begin('verify', model.repo, true, async (own) => {
      own.progress.state = 'verifying';
      own.progress.commit = model.commit;
      const folder = await this.#deps.shelf.open(model);
      const plan = await this.#planFor(model, folder);
      await this.#fetchAll(own, model, folder, plan, { replicas: model.replicas }, true);
    });
    return this.#jobs.picture(job);
  }

  /**
   * Resolves when every stage's node holds what it is to load. What is missing is pulled.
   * @param plan that is to be deployed
   * @throws EspalierError as a pull fails; NodeFault where one node is to blame
   */
  ensure(repo: string, plan: PlanOfFiles): Promise<void> {
    return this.#ensure(repo, plan, false);
  }

  /** The same for a deployment in force: who ends its fetch ends nothing, for it would only be begun anew. */
  ensureDeployed(repo: string, plan: PlanOfFiles): Promise<void> {
    return this.#ensure(repo, plan, true);
  }

  /** Another model takes the place of the deployed one, whose files nobody waits for any more. */
  leaveDeployed(): void {
    this.#deploying?.abort.abort(new EspalierError('not_ready', 'another model is deployed'));
  }

  /** Ends a pull; what has come stays, and the next one goes on from there. @throws EspalierError not_found, model_in_use */
  cancel(model: string): PullProgress {
    const job = this.#jobs.running(model);
    if (!job) throw new EspalierError('not_found', `there is no pull of "${model.slice(0, 200)}" that runs`);
    if (job === this.#deploying)
      throw new EspalierError('model_in_use', `${model} is being deployed; deploy another one first`);
    job.abort.abort(new EspalierError('not_ready', 'it was cancelled'));
    job.progress.state = 'cancelled';
    return this.#jobs.picture(job);
  }

  /** Removes a model from all connected nodes. @throws EspalierError model_not_stored, model_in_use */
  async remove(name: string): Promise<RemovedAnswer> {
    const { repo } = await this.find(name);
    if (this.#deps.inUse() === repo) throw new EspalierError('model_in_use', `${repo} is deployed`);
    if (this.#jobs.running(repo)) throw new EspalierError('model_in_use', `${repo} is being pulled`);
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

  /** The plan that a model's files were fetched for. */
  planOf(repo: string): Plan | undefined {
    return this.#plans.get(repo);
  }

  /** What is stored, and what each node holds of it. */
  async report(): Promise<ModelsReport> {
    const { shelf, nodes, inUse } = this.#deps;
    return { ...(await storeReport(shelf, nodes, inUse())), pulls: this.pulls() };
  }

  /** Bytes that the nodes of a plan do not hold yet. */
  missingBytes(model: Shelved, plan: PlanOfFiles): Promise<number> {
    return missingBytes(this.#deps.shelf, this.#deps.nodes, model, plan);
  }

  /** Ends all that runs. */
  stop(): void {
    this.#jobs.stop();
  }

  async #ensure(repo: string, plan: PlanOfFiles, isDeployed: boolean): Promise<void> {
    const model = await this.find(repo);
    // an older plan's: what it has begun to fetch is gone on with
    this.#ensuring.get(repo)?.abort.abort(new EspalierError('not_ready', 'another plan was made'));
    const job = this.#jobs.begin('pull', repo, false, async (own) => {
      own.progress.state = 'pulling';
      own.progress.commit = model.commit;
      const folder = await this.#deps.shelf.open(model);
      await this.#fetchAll(own, model, folder, plan, { replicas: 1 });
    });
    this.#ensuring.set(repo, job);
    if (isDeployed) this.#deploying = job;
    await job.done;
    if (this.#ensuring.get(repo) === job) this.#ensuring.delete(repo);
    if (this.#deploying === job) this.#deploying = undefined;
    if (job.progress.state === 'done') return;
    throw job.error ?? new EspalierError('not_ready', `the files of ${repo} are not fetched any more`);
  }

  async #planFor({ repo }: Shelved, folder: ModelFolder): Promise<Plan> {
    const plan = await this.#deps.planFor(await readModelCard(folder, repo), this.#plans.get(repo));
    this.#plans.set(repo, plan);
    return plan;
  }

  async #describe(
    { abort }: Job,
    nodeId: string,
    { model, revision = 'main' }: PullRequest,
    isFolder: boolean,
  ): Promise<ModelDescription> {
    if (model.startsWith(LOCAL)) return this.#imported(model);
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

  /** A folder's model, which the hub has not, and whose name is not the hub's to know. @throws EspalierError model_not_stored */
  async #imported(model: string): Promise<ModelDescription> {
    const shelved = await this.#deps.shelf.find(model);
    if (shelved) return shelved;
    const message = `there is no stored model "${model}", and the hub has none of a folder: pull the folder by its absolute path`;
    throw new EspalierError('model_not_stored', message);
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
    plan: PlanOfFiles,
    { replicas, limitBytesPerSecond }: Pick<PullRequest, 'replicas' | 'limitBytesPerSecond'>,
    verifies = false,
  ): Promise<void> {
    const { nodes, reserveBytes, log } = this.#deps;
    const others = nodes
      .connected()
      .flatMap(({ id }) => (plan.stages.some(({ nodeId }) => nodeId === id) ? [] : [id]));
    job.needs = planNeeds(fileMap(model, folder), plan, others, replicas);
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
