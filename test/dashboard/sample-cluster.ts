// Pictures of clusters of one, three and six Macs in every state, for tests of the screen: valid by the schema, and the
// same on every run.
import { INITIAL_VIEW, reduce, type ViewState } from '../../dashboard/store.ts';
import type { ClusterHistory } from '../../protocol/history.ts';
import type { Incident } from '../../protocol/incidents.ts';
import { type ClusterStatus, NodeMachine } from '../../protocol/status.ts';
import { SAMPLE_TIME, sampleNode, sampleStage, sampleStatus } from './sample.ts';

const GIB = 1024 ** 3;

export const STATES = ['starting', 'serving', 'lost', 'recovering', 'gone'] as const;
export type SampleState = (typeof STATES)[number];

function machine(index: number): NodeMachine {
  return NodeMachine.parse({
    ...{ modelIdentifier: 'Mac15,14', modelName: 'Mac Studio', os: 'macOS 26.2 (25C56)' },
    ...{ coresPerformance: 24, coresEfficiency: 8, coresGpu: 80, gpuMemoryLimit: null },
    ...{ interfaces: [], thunderboltPorts: [], rdma: 'enabled', powerSource: 'ac', sleepMinutes: 0 },
    thermalLevel: index === 2 ? 'moderate' : 'nominal',
    load: {
      ...{ gpuUseShare: 0.31 + index * 0.11, gpuMemoryBytes: 60 * GIB, memoryPressure: 'normal' },
      ...{ memoryFreeShare: 0.8, memoryAvailableBytes: 400 * GIB, watts: 96 + index * 9 },
    },
    noteCount: 0,
  });
}

function hop(index: number, nodes: number): NonNullable<ClusterStatus['stages'][number]['hop']> | null {
  if (nodes === 1) return null;
  const isSlow = index === 3;
  return {
    ...{ fromAddress: `fe80::${index}%en5`, toAddress: `fe80::${index}%en6` },
    ...{ fromInterface: isSlow ? 'en0' : 'en5', toInterface: isSlow ? 'en0' : 'en6' },
    ...(isSlow
      ? ({ kind: 'ethernet', rttP50Us: 640, gbps: 0.94 } as const)
      : ({ kind: 'thunderbolt', rttP50Us: 412, gbps: 22.6 } as const)),
  };
}

const LOSS: Incident = {
  ...{ number: 4, at: SAMPLE_TIME - 2_000, node: 'studio-2', code: 'stage_lost', requests: 2 },
  seen: 'studio-2 is lost: nothing was heard of it for 3.5 s',
  fix: 'Look at the agent on studio-2; it is used again when it is back.',
  outcome: 'open',
  done: null,
  pause: { planMs: null, loadMs: null, linkMs: null, replayMs: null },
};

const OVERCOME: Incident = {
  ...LOSS,
  ...{ number: 3, at: SAMPLE_TIME - 300_000, seen: 'studio-1: its stage worker was killed by SIGKILL' },
  ...{ fix: 'The log of the agent on studio-1 has more; it is started again.', outcome: 'serving' },
  done: 'serving again',
  pause: { planMs: 160, loadMs: 900, linkMs: 40, replayMs: 140 },
};

/** A cluster that serves three requests, on so many nodes of 512 GiB. */
export function sampleCluster(nodes: number): ClusterStatus {
  const indices = Array.from({ length: nodes }, (_, index) => index);
  const layers = Math.ceil(61 / nodes);
  return sampleStatus({
    model: {
      ...{ id: 'DeepSeek-R1-0528-4bit', architecture: 'deepseek_v3', layerCount: 61 },
      ...{ quantization: '4-bit', contextTokens: 163_840 },
    },
    predicted: {
      now: { streams: 2, tokensPerSecond: 16.4 },
      oneStream: 8.6,
      allStagesBusy: 24.1,
      limit: 'studio-3 is the slowest stage',
    },
    nodes: indices.map((index) => sampleNode(index, { facts: machine(index), isDrained: index === 5 })),
    stages: indices.map((index) =>
      sampleStage(index, {
        range: { start: index * layers, end: Math.min(61, (index + 1) * layers) },
        weightBytes: (350 / nodes) * GIB,
        kvBytes: 2.4 * GIB,
        usableBytes: 464 * GIB,
        stepsTotal: 431 - index,
        predictedStepMs: 36.2 + index,
        busyShare: index === 2 ? 0.94 : 0.35 + index * 0.08,
        hop: hop(index, nodes),
      }),
    ),
    requests: [
      {
        ...{ id: 'd41a7c20-1', client: 'OpenAI/Python', phase: 'decode', promptTokens: 812, tokens: 340 },
        ...{ tokensPerSecond: 7.3, ageMs: 48_000, ahead: null },
      },
      {
        ...{ id: '7be0f3aa-2', client: 'Zed', phase: 'prefill', promptTokens: 12_040, tokens: 0 },
        ...{ tokensPerSecond: null, ageMs: 2_100, ahead: null },
      },
      {
        ...{ id: '09c5de11-3', client: null, phase: 'waiting', promptTokens: 55, tokens: 0 },
        ...{ tokensPerSecond: null, ageMs: 300, ahead: 0 },
      },
    ],
    incidents: [OVERCOME],
  });
}

const NOTHING_RUNS = { tokensPerSecond: 0, requestsRunning: 0, requestsWaiting: 0 };
const UNMEASURED = {
  ...{ residentBytes: null, kvBytes: null, tokensPerSecond: null, decodeTokensPerSecond: null },
  ...{ stepTimeMs: null, busyShare: null, hopBytesPerSecond: null, stepsTotal: null },
};

function statusIn(state: SampleState, nodes: number): ClusterStatus {
  const serving = sampleCluster(nodes);
  switch (state) {
    case 'starting':
      return {
        ...serving,
        ...NOTHING_RUNS,
        ...{ state: 'deploying', epoch: 1, tokensPerSecondMinute: 0, timeToFirstTokenMs: null },
        ...{ predicted: null, requests: [], incidents: [], requestsCompleted: 0, requestsFailed: 0 },
        reason: `1 of ${nodes} stages have loaded, studio-${nodes} has read 4 of 11 layers`,
        stages: serving.stages.map((stage, index) => ({
          ...{ ...stage, ...UNMEASURED },
          ...(index === 0 && nodes > 1
            ? { state: 'loaded' as const }
            : { state: 'loading' as const, pid: null }),
        })),
      };
    case 'lost':
      return {
        ...serving,
        ...NOTHING_RUNS,
        ...{ state: 'degraded', requests: [], failure: 'not_enough_nodes', predicted: null },
        reason: `studio-${Math.min(nodes, 2)} is lost; the other nodes lack 41 GiB to hold the model`,
        nodes: serving.nodes.map((node, index) =>
          index === Math.min(nodes, 2) - 1 ? { ...node, state: 'lost' as const } : node,
        ),
        stages: [],
        incidents: [OVERCOME, { ...LOSS, outcome: 'impossible', done: '41 GiB are missing' }],
      };
    case 'recovering':
      return {
        ...serving,
        ...NOTHING_RUNS,
        ...{ state: 'recovering', reason: `1 of ${nodes} stages have loaded`, epoch: 4, predicted: null },
        stages: serving.stages.map((stage, index) => ({
          ...{ ...stage, ...UNMEASURED },
          ...(index === 1 ? { state: 'loading' as const, pid: null } : { state: 'loaded' as const }),
        })),
        requests: serving.requests.map((request) => ({
          ...request,
          phase: 'recovering' as const,
          ahead: null,
        })),
        incidents: [OVERCOME, LOSS],
      };
    default:
      return serving;
  }
}

/** As somebody sees it who has just opened the dashboard: four minutes of history. */
export function sampleView(state: SampleState, nodes: number): ViewState {
  const status = statusIn(state, nodes);
  const samples = Array.from({ length: 240 }, (_, second) =>
    second < 60 ? null : Math.max(0, 9 + 6 * Math.sin(second / 9) + (second % 7) / 3),
  );
  const history: ClusterHistory = {
    ...{ at: SAMPLE_TIME, stepMs: 1_000, tokensPerSecond: samples },
    nodes: status.nodes.map(({ id }) => ({ id, tokensPerSecond: samples, busyShare: samples })),
  };
  const live = reduce(reduce(INITIAL_VIEW, { kind: 'snapshot', status }), { kind: 'history', history });
  if (state !== 'gone') return live;
  return reduce(live, { kind: 'gone', trouble: 'connection refused', at: SAMPLE_TIME - 12_000 });
}
