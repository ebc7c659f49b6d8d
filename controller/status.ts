// The public picture of the cluster, put together from what the parts know. It holds nothing of its own but the events.
import type { Incident } from '../protocol/incidents.ts';
import {
  MAX_EVENTS,
  MAX_SHOWN_INCIDENTS,
  MAX_SHOWN_WAITING,
  MAX_STRANGER_EVENTS,
} from '../protocol/limits.ts';
import type { LinkFinding } from '../protocol/links.ts';
import { formatHostPort } from '../protocol/node.ts';
import type { WaitingNode } from '../protocol/pairing.ts';
import { printable } from '../protocol/printable.ts';
import type { ClusterEvent, ClusterStatus, NodeStatus, StageStatus } from '../protocol/status.ts';
import { ESPALIER_VERSION } from '../protocol/version.ts';
import { type Cluster, clusterReason, clusterState } from './cluster/state.ts';
import type { GuessCounts } from './guess-counts.ts';
import type { HopPath } from './links/hop-path.ts';
import { machineStatus } from './machine-status.ts';
import type { PredictedRatesOf } from './predicted-rates.ts';
import type { Requests } from './requests.ts';

/** The window of "now": long enough to be calm, short enough to follow. */
const NOW_MS = 3_000;

export class EventLog {
  #events: ClusterEvent[] = [];
  readonly #ofStrangers: ClusterEvent[] = [];

  /** @param isOfStranger anybody on the network can cause it: of those the oldest make room for the newest */
  add(level: ClusterEvent['level'], text: string, fix: string | undefined, isOfStranger = false): void {
    const event = { at: Date.now(), level, text: printable(text), fix: fix ? printable(fix) : null };
    if (isOfStranger) {
      const tooMany = this.#ofStrangers.push(event) - MAX_STRANGER_EVENTS;
      const gone = this.#ofStrangers.splice(0, Math.max(tooMany, 0));
      this.#events = this.#events.filter((other) => !gone.includes(other));
    }
    this.#events = [...this.#events, event].slice(-MAX_EVENTS);
  }

  has(text: string): boolean {
    return this.#events.some((event) => event.text === printable(text));
  }

  get all(): ClusterEvent[] {
    return this.#events;
  }
}

/** What the status is put together from. */
export interface StatusParts {
  cluster: Cluster;
  requests: Requests;
  events: EventLog;
  linkFindings: readonly LinkFinding[];
  waiting: readonly WaitingNode[];
  incidents: readonly Incident[];
  predicted: PredictedRatesOf;
  guesses: GuessCounts;
}

export function clusterStatus(
  { cluster, requests, events, linkFindings, waiting, incidents, predicted, guesses }: StatusParts,
  isStopping: boolean,
): ClusterStatus {
  const now = performance.now();
  const { card, deployment } = cluster;
  return {
    at: Date.now(),
    espalierVersion: ESPALIER_VERSION,
    controllerPid: process.pid,
    state: isStopping ? 'stopping' : clusterState(cluster),
    reason: isStopping ? 'the controller is stopping' : clusterReason(cluster),
    failure: cluster.failure ?? null,
    engine: (deployment ?? cluster.previous)?.plan.engine ?? 'node-mlx',
    epoch: cluster.epoch,
    model: {
      id: card.id,
      architecture: card.architecture,
      layerCount: card.layerCount,
      quantization: card.quantization,
      contextTokens: Math.min(card.contextTokens, deployment?.plan.kvTokens ?? card.contextTokens),
    },
    tokensPerSecond: requests.tokensPerSecond(NOW_MS),
    tokensPerSecondMinute: requests.tokensPerSecond(60_000),
    timeToFirstTokenMs: requests.timeToFirstTokenMs,
    tokensTotal: requests.tokensTotal,
    predicted: predicted.rates(cluster, requests.running, now),
    kv: deployment?.stages.find(({ stats }) => stats?.kvUse)?.stats?.kvUse ?? null,
    draft: draftStatus(cluster),
    guesses: guesses.all,
    requestsRunning: requests.running,
    requestsWaiting: requests.waiting,
    requestsCompleted: requests.completed,
    requestsFailed: requests.failedCount,
    nodes: nodeStatuses(cluster),
    stages: stageStatuses(cluster, predicted.stages(cluster, now)),
    requests: requests.list(deployment?.stages[0]?.stats?.guesses?.requests),
    linkFindings: [...linkFindings],
    waiting: waiting
      .filter(({ showsCode }) => showsCode)
      .slice(0, MAX_SHOWN_WAITING)
      .map(({ id, name }) => ({ id, name })),
    incidents: incidents.slice(-MAX_SHOWN_INCIDENTS),
    events: events.all,
  };
}

function nodeStatuses(cluster: Cluster): NodeStatus[] {
  return [...cluster.nodes.values()].map(({ facts, machine, address, foundBy, connected, engine }) => ({
    ...(engine && { engine }),
    id: facts.id,
    name: facts.name,
    address: formatHostPort(address),
    foundBy,
    state: connected ? 'connected' : 'lost',
    isDrained: cluster.drained.has(facts.id),
    chip: facts.chip,
    cores: facts.cores,
    memoryBytes: facts.memoryBytes,
    pid: facts.pid,
    facts: machine ? machineStatus(machine) : null,
  }));
}

function draftStatus({ deployment, draft, nodes }: Cluster): ClusterStatus['draft'] {
  const planned = deployment?.plan.draft;
  if (!deployment || !planned) return null;
  const { running } = draft;
  const isHere = running?.stagesEpoch === deployment.epoch;
  const isApart = planned.place === 'apart';
  const nodeId = (isApart && isHere ? running.nodeId : undefined) ?? planned.nodeId;
  // beside the first stage it is there when that is
  const first = deployment.stages[0]?.state === 'linked' ? 'linked' : 'loading';
  return {
    place: planned.place,
    nodeId,
    node: nodes.get(nodeId)?.facts.name ?? nodeId,
    state: isApart ? (isHere ? running.state : 'resting') : first,
    pid: (isApart && isHere ? running.pid : undefined) ?? null,
    stats: (isApart && isHere ? running.stats : undefined) ?? null,
  };
}

function stageStatuses(cluster: Cluster, predicted: ReturnType<PredictedRatesOf['stages']>): StageStatus[] {
  const { deployment } = cluster;
  if (!deployment) return [];
  return deployment.stages.map((stage, index): StageStatus => {
    const { stats } = stage;
    return {
      index,
      nodeId: stage.nodeId,
      node: cluster.nodes.get(stage.nodeId)?.facts.name ?? stage.nodeId,
      range: deployment.plan.stages[index]?.range ?? { start: 0, end: cluster.card.layerCount },
      state: stage.state,
      pid: stage.pid ?? null,
      residentBytes: stats?.residentBytes ?? null,
      weightBytes: stage.weightBytes,
      kvBytes: stats?.kvBytes ?? null,
      tokensPerSecond: stats?.tokensPerSecond ?? null,
      decodeTokensPerSecond: stats?.decodeTokensPerSecond ?? null,
      stepTimeMs: stage.stepTimeMs ?? null,
      busyShare: stats?.busyShare ?? null,
      hopBytesPerSecond: stats?.hopBytesPerSecond ?? null,
      tokensTotal: stats?.tokensTotal ?? 0,
      stepsTotal: stats?.stepsTotal ?? null,
      usableBytes: predicted[index]?.usableBytes ?? null,
      predictedStepMs: predicted[index]?.stepMs ?? null,
      hop: stage.hopPath ? hopStatus(stage.hopPath) : null,
    };
  });
}

function hopStatus(path: HopPath): StageStatus['hop'] {
  const { localAddress: fromAddress, listenAddress: toAddress, fromInterface, toInterface, kind } = path;
  const { rttP50Us, gbps } = path.figures;
  return { fromAddress, toAddress, fromInterface, toInterface, kind, rttP50Us, gbps };
}
