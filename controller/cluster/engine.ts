// What the nodes have of MLX Distributed: whether a plan waits for it, who is told to install it, and how a plan's ranks
// meet. Without I/O; what a plan gains by it is the planner's to say.
import { ERRORS, isErrorCode } from '../../protocol/errors.ts';
import type { HostPort } from '../../protocol/node.ts';
import type { EngineState } from '../../protocol/ranks.ts';
import { rankLaunch, rdmaFindings } from '../mlx-distributed/ranks.ts';
import { versionFindings } from '../mlx-distributed/versions.ts';
import { type Cluster, connectedNodes, type Deployment, type Effect } from './state.ts';

/** A node tells what it has right after its hello. */
const ENGINE_WAIT_MS = 2_000;
/** Of what keeps nodes from RDMA: the first few cables to look at. */
const MAX_RDMA_FINDINGS = 4;

/** Whether a plan would be made without knowing what the nodes have; who asked for this engine waits for its installation. */
export function waitsForEngine(cluster: Cluster, isRecovering: boolean, now: number): boolean {
  const { choice = 'node-mlx' } = cluster.planning.engine ?? {};
  if (choice === 'node-mlx') return false;
  const states = connectedNodes(cluster).map(({ engine }) => engine?.state);
  if (states.includes(undefined) && now - cluster.lastNodeAt < ENGINE_WAIT_MS) return true;
  // the installation has its own deadline; but streams that wait already have no time for it
  const isInstalling = states.includes('missing') || states.includes('installing');
  return choice === 'mlx-distributed' && isInstalling && !isRecovering;
}

export function nodeEngine(cluster: Cluster, nodeId: string, engine: EngineState): Effect[] {
  const node = cluster.nodes.get(nodeId);
  if (!node) return [];
  node.engine = engine;
  const effects: Effect[] = [];
  const { name } = node.facts;
  if (engine.state === 'failed')
    effects.push({
      kind: 'event',
      level: 'error',
      text: `${name}: ${engine.message}`,
      fix: isErrorCode(engine.code) ? ERRORS[engine.code].solve : ERRORS.engine_install_failed.solve,
    });
  if (engine.state === 'installing') cluster.reason = `${name}: ${engine.step}`;
  // whoever asked for this engine has asked for its installation
  if (engine.state === 'missing' && cluster.planning.engine?.choice === 'mlx-distributed') {
    effects.push({ kind: 'event', level: 'info', text: `${name} installs MLX Distributed` });
    effects.push({ kind: 'install-engine', nodeId });
  }
  if (engine.state !== 'ready') return effects;
  const told = connectedNodes(cluster).map(({ facts, engine: state }) => ({ name: facts.name, state }));
  const findings = versionFindings(told).map(
    ({ text, fix }): Effect => ({ kind: 'event', level: 'warn', text, fix }),
  );
  return [...effects, ...findings];
}

/** MLX's ranks find one another by themselves, once all are told where each one listens. */
export function linkRanks(cluster: Cluster, { stages, epoch }: Deployment): Effect[] {
  const places = stages.map(({ nodeId, hop, hopPath }) => ({
    // where the rank before it has a measured way, its rank listens there
    hop: { host: hopPath?.dialAddress ?? (hop as HostPort).host, port: (hop as HostPort).port },
    machine: cluster.nodes.get(nodeId)?.machine,
    name: cluster.nodes.get(nodeId)?.facts.name ?? nodeId,
    host: cluster.nodes.get(nodeId)?.address.host ?? '',
  }));
  // RDMA that failed once is not tried again until a deployment has served for a while
  const ranks = stages.length > 1 ? rankLaunch(places, cluster.failures === 0) : undefined;
  const findings = rdmaFindings(places).slice(0, MAX_RDMA_FINDINGS);
  const told = findings.map(({ text, fix }): Effect => ({ kind: 'event', level: 'info', text, fix }));
  const links = stages.map(({ nodeId, hop }): Effect => {
    return { kind: 'link', epoch, nodeId, next: hop as HostPort, from: undefined, keepsKv: false, ranks };
  });
  return [...told, ...links];
}
