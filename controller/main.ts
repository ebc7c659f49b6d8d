// The controller: one per cluster. Opens what its home holds, and puts the cluster's core and the API together. It never
// touches a tensor.
import { EspalierError } from '../protocol/errors.ts';
import { lockHome } from '../protocol/home-lock.ts';
import { loadIdentity } from '../protocol/identity.ts';
import { MAX_SESSIONS } from '../protocol/limits.ts';
import { createLog } from '../protocol/log.ts';
import { openModelFolder } from '../protocol/model-folder.ts';
import type { PullProgress } from '../protocol/models.ts';
import { DEFAULT_PLANNING } from '../protocol/plan.ts';
import { DEFAULT_SPECULATION } from '../protocol/speculation.ts';
import type { ClusterStatus } from '../protocol/status.ts';
import { Access, isLoopback } from './api/access.ts';
import type { ApiDeps } from './api/context.ts';
import type { StoreApi } from './api/model-routes.ts';
import { createApi } from './api/server.ts';
import type { ControllerOptions } from './config.ts';
import { Core } from './core.ts';
import type { SpeculationWish } from './draft-model.ts';
import { Incidents } from './incidents.ts';
import { MeasurementStore } from './measurement-store.ts';
import { loadModel, type ModelInUse, ModelSwitch, ofAnyModel } from './model-switch.ts';
import type { PlanOfFiles } from './models/needs.ts';
import { Shelf } from './models/shelf.ts';
import { DeploymentStore } from './saved-deployment.ts';
import type { TokenSource } from './token-source.ts';
import { ApiKeys } from './trust/api-keys.ts';
import { OwnAuthority } from './trust/authority.ts';
import { JoinTokens } from './trust/join-tokens.ts';
import { NodePins } from './trust/node-pins.ts';

export interface RunningController {
  url: string;
  /** the cluster below the API: token ids in, token ids out */
  source: TokenSource;
  status(): ClusterStatus;
  port: number;
  stop(): Promise<void>;
}

/** @throws EspalierError home_in_use, home_damaged, home_not_writable, key_missing, port_taken, model_folder_missing, model_file_missing, model_file_damaged, model_mismatch, bad_option */
export async function startController(options: ControllerOptions): Promise<RunningController> {
  const log = createLog('controller');
  lockHome(options.home, 'controller');
  const identity = await loadIdentity(options.home, 'controller');
  const keys = new ApiKeys(options.home);
  if (!isLoopback(options.host) && keys.list().length === 0) {
    throw new EspalierError(
      'key_missing',
      `the API is to listen on ${options.host}, where others can reach it, and has no key yet`,
    );
  }
  const authority = new OwnAuthority(options.home);
  const nodePins = NodePins.open(options.home);
  const tokens = new JoinTokens(options.home, identity.fingerprint);
  const shelf = new Shelf(options.home);
  const { current, folder } = await firstModels(options, shelf, (repo, plan) =>
    models.store.ensureDeployed(repo, plan),
  );
  const { card, place, note } = current;
  if (note !== undefined) log.warn(note);
  const { store, measurements } = await MeasurementStore.open(options.home, log);
  const incidents = await Incidents.open(options.home, log);
  const asked = {
    modelFingerprint: place.fingerprint,
    planning: options.planning,
    wantedNodes: options.nodeCount,
    draftBytes: card.draft?.bytes,
  };
  const deployments = new DeploymentStore(options.home, asked, log);
  const previous = await deployments.read();
  const memory = { store, measurements, incidents, deployments, previous, nodePins, tokens };
  const planning = { ...(options.planning ?? DEFAULT_PLANNING), guessYield: current.guessYield };
  const core = new Core(identity, card, place, { ...options, ...memory, planning }, log);
  const models: ModelSwitch = new ModelSwitch({
    core,
    shelf,
    credentials: identity,
    current,
    folder,
    speculation: ofAnyModel(speculationWish(options)),
    diskReserveBytes: options.diskReserveBytes,
    log,
  });
  const status = () => withPulls(core.status(), models.store.pulls());
  const autoLoads = options.autoLoads ?? isLoopback(options.host);
  const { host, allowOrigins = [] } = options;
  const access = new Access({ host, secret: authority.secret, keys, allowOrigins });
  const deps: ApiDeps = {
    source: core.requests,
    textModel: () => models.text,
    models: () => models.models(),
    ...(autoLoads && { deploy: (id: string) => models.autoLoad(id) }),
    store: storeApi(models),
    maxSessions: MAX_SESSIONS,
    pins: options.pins,
    status,
    history: () => core.history(),
    operate: {
      drain: (nodeId, now) => core.operations.drain(nodeId, now),
      undrain: (nodeId) => core.operations.undrain(nodeId),
      cancel: (requestId) => core.operations.cancel(requestId),
    },
    trace: (steps) => core.trace(steps),
    plan: () => core.plan(),
    incidents: () => incidents.report,
    doctor: () => core.doctor.report(),
    pairing: () => core.pairing.report(),
    pair: (node, code) => core.operations.pair(node, code),
    unpair: (node) => core.operations.unpair(node),
    links: () => core.links.report(),
    measureLinks: () => {
      core.links.measureAgain();
      return core.links.report();
    },
    log,
  };
  const api = await createApi(deps, { access });
  const { url, port } = await api.listen({ host: options.host, port: options.port });
  authority.publish(url);
  core.start();
  log.info({ url, model: card.id }, 'controller is up');
  return {
    url,
    port,
    source: core.requests,
    status,
    async stop() {
      authority.withdraw();
      core.beginStop();
      await api.close();
      await models.stop();
      await core.stop();
    },
  };
}

/** What is deployed first, and the folder that can be gone back to: a stored model may have been deployed by name before. */
async function firstModels(
  options: ControllerOptions,
  shelf: Shelf,
  ensure: ModelSwitch['store']['ensure'],
): Promise<{ current: ModelInUse; folder: ModelInUse | undefined }> {
  const { storedModel, modelDir, resumesModel } = options;
  const wish = speculationWish(options);
  // a draft that is named is that of the model that is named
  const [ofFolder, ofStored] =
    storedModel === undefined ? [wish, ofAnyModel(wish)] : [ofAnyModel(wish), wish];
  const wanted = storedModel ?? (resumesModel ? await shelf.lastUsed() : undefined);
  const shelved = wanted === undefined ? undefined : await shelf.find(wanted);
  if (!shelved && storedModel !== undefined) {
    const message = `there is no stored model ${storedModel}: start with another one, then \`espalier models pull ${storedModel}\``;
    throw new EspalierError('model_not_stored', message);
  }
  const opened = openModelFolder(modelDir).then((folder) => loadModel(folder, { speculation: ofFolder }));
  if (!shelved) {
    const folder = await opened;
    return { current: folder, folder };
  }
  const { repo, commit } = shelved;
  const stored = { ref: { repo, commit }, ensure: (plan: PlanOfFiles) => ensure(repo, plan) };
  const folder = await opened.catch(() => undefined);
  const current = await loadModel(await shelf.open(shelved), { id: repo, stored, speculation: ofStored });
  return { current, folder };
}

function speculationWish({
  planning = DEFAULT_PLANNING,
  speculation: mode = DEFAULT_SPECULATION,
  draftDir,
}: ControllerOptions): SpeculationWish {
  return { mode, draftDir, contextTokens: planning.contextTokens };
}

function storeApi(models: ModelSwitch): StoreApi {
  const { store } = models;
  return {
    report: () => models.report(),
    catalogue: () => models.catalogue(),
    planOf: (model) => models.planOf(model),
    search: (text) => store.search(text),
    pull: (request) => store.pull(request),
    cancel: (model) => store.cancel(model),
    verify: (model) => store.verify(model),
    remove: (model) => store.remove(model),
    deployment: () => models.deployment(),
    cost: (model) => models.cost(model),
    use: (model) => models.use(model),
  };
}

/** While files come, that is why it does not serve. */
function withPulls(status: ClusterStatus, pulls: PullProgress[]): ClusterStatus {
  const pull = pulls.find(({ model, state }) => state === 'pulling' && model === status.model?.id);
  const waits = pull && status.reason !== null && status.state !== 'stopping';
  const reason = waits
    ? `fetching ${pull.model}: ${gigabytes(pull.doneBytes)} of ${gigabytes(pull.totalBytes)} are on the nodes`
    : status.reason;
  // of those that have ended the sums are enough: this goes out twice a second
  const shown = pulls.map((each) =>
    each.state === 'pulling' || each.state === 'verifying' ? each : { ...each, nodes: [] },
  );
  return { ...status, reason, pulls: shown };
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
