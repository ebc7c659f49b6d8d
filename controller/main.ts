// The controller: one per cluster. Opens what its home holds, and puts the cluster's core and the API together. It never
// touches a tensor.
import { EspalierError } from '../protocol/errors.ts';
import { lockHome } from '../protocol/home-lock.ts';
import { loadIdentity } from '../protocol/identity.ts';
import { MAX_SESSIONS } from '../protocol/limits.ts';
import { createLog } from '../protocol/log.ts';
import { openModelFolder } from '../protocol/model-folder.ts';
import type { ClusterStatus } from '../protocol/status.ts';
import { Access, isLoopback } from './api/access.ts';
import type { ApiDeps } from './api/context.ts';
import { listedModel } from './api/models.ts';
import { createApi } from './api/server.ts';
import type { ControllerOptions } from './config.ts';
import { Core } from './core.ts';
import { Incidents } from './incidents.ts';
import { MeasurementStore } from './measurement-store.ts';
import { readModelCard } from './models/card.ts';
import { readModelFacts } from './models/listed.ts';
import { DeploymentStore } from './saved-deployment.ts';
import { loadTextModel } from './text-model.ts';
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
  const folder = await openModelFolder(options.modelDir);
  const card = await readModelCard(folder);
  const text = await loadTextModel(options.modelDir, { id: card.id });
  const place = { dir: folder.dir, fingerprint: folder.fingerprint };
  const { store, measurements } = await MeasurementStore.open(options.home, log);
  const incidents = await Incidents.open(options.home, log);
  const asked = {
    modelFingerprint: folder.fingerprint,
    planning: options.planning,
    wantedNodes: options.nodeCount,
  };
  const deployments = new DeploymentStore(options.home, asked, log);
  const previous = await deployments.read();
  const memory = { store, measurements, incidents, deployments, previous, nodePins, tokens };
  const core = new Core(identity, card, place, { ...options, ...memory }, log);
  const listed = listedModel(await readModelFacts(folder, card), text);
  const { host, allowOrigins = [] } = options;
  const access = new Access({ host, secret: authority.secret, keys, allowOrigins });
  const deps: ApiDeps = {
    source: core.requests,
    textModel: () => text,
    // what the plan has KV for may be less than the model's own context
    models: () => [{ ...listed, contextTokens: core.contextTokens }],
    maxSessions: MAX_SESSIONS,
    pins: options.pins,
    status: () => core.status(),
    history: () => core.history(),
    operate: {
      drain: (nodeId, now) => core.drain(nodeId, now),
      undrain: (nodeId) => core.undrain(nodeId),
      cancel: (requestId) => core.cancel(requestId),
    },
    trace: (steps) => core.trace(steps),
    plan: () => core.plan(),
    incidents: () => incidents.report,
    doctor: () => core.doctor(),
    pairing: () => core.pairing.report(),
    pair: (node, code) => core.pair(node, code),
    unpair: (node) => core.unpair(node),
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
    status: () => core.status(),
    async stop() {
      authority.withdraw();
      core.beginStop();
      await api.close();
      await core.stop();
      await text.close();
    },
  };
}
