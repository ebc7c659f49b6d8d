// Pictures of a cluster for tests: complete, valid by the schema, and the same on every run.
import { ClusterStatus, type NodeStatus, type StageStatus } from '../../protocol/status.ts';

const GIB = 1024 ** 3;
/** 2026-01-02 03:04:05 UTC */
export const SAMPLE_TIME = Date.UTC(2026, 0, 2, 3, 4, 5);

export function sampleNode(index: number, changes: Partial<NodeStatus> = {}): NodeStatus {
  return {
    id: `node-id-${index}`,
    name: `studio-${index + 1}`,
    address: `192.168.1.${20 + index}:7118`,
    foundBy: 'bonjour',
    state: 'connected',
    chip: 'Apple M3 Ultra',
    cores: 32,
    memoryBytes: 512 * GIB,
    pid: 4000 + index,
    ...changes,
  };
}

export function sampleStage(index: number, changes: Partial<StageStatus> = {}): StageStatus {
  return {
    index,
    nodeId: `node-id-${index}`,
    node: `studio-${index + 1}`,
    range: { start: index * 10, end: index * 10 + 10 },
    state: 'linked',
    pid: 5000 + index,
    residentBytes: (60 + index) * GIB,
    weightBytes: 58.5 * GIB,
    kvBytes: 0.3 * GIB,
    tokensPerSecond: 12.3 + index,
    decodeTokensPerSecond: 11.2,
    stepTimeMs: 38.4 + index,
    busyShare: 0.25 * (index + 1),
    hopBytesPerSecond: 156 * 1024,
    tokensTotal: 900,
    ...changes,
  };
}

/** Three nodes that serve, with one request in each phase; `changes` replaces whole fields. */
export function sampleStatus(changes: Partial<ClusterStatus> = {}): ClusterStatus {
  return ClusterStatus.parse({
    at: SAMPLE_TIME,
    espalierVersion: '0.1.0',
    controllerPid: 3999,
    state: 'serving',
    reason: null,
    engine: 'node-mlx',
    epoch: 3,
    model: {
      id: 'DeepSeek-R1-0528-4bit',
      architecture: 'deepseek_v3',
      layerCount: 30,
      quantization: '4-bit',
      contextTokens: 163_840,
    },
    tokensPerSecond: 14.2,
    tokensPerSecondMinute: 11.3,
    timeToFirstTokenMs: 840,
    tokensTotal: 12_345,
    requestsRunning: 2,
    requestsWaiting: 1,
    requestsCompleted: 41,
    requestsFailed: 1,
    nodes: [sampleNode(0), sampleNode(1), sampleNode(2)],
    stages: [sampleStage(0), sampleStage(1), sampleStage(2)],
    requests: [
      { id: 'req-1', phase: 'decode', promptTokens: 812, tokens: 340, tokensPerSecond: 7.3, ageMs: 48_000 },
      { id: 'req-2', phase: 'prefill', promptTokens: 12_040, tokens: 0, tokensPerSecond: null, ageMs: 2_100 },
      { id: 'req-3', phase: 'waiting', promptTokens: 55, tokens: 0, tokensPerSecond: null, ageMs: 300 },
    ],
    events: [
      { at: SAMPLE_TIME - 90_000, level: 'info', text: 'studio-1 was found by Bonjour', fix: null },
      { at: SAMPLE_TIME - 80_000, level: 'info', text: 'epoch 3 is deployed: 3 stages', fix: null },
      {
        at: SAMPLE_TIME - 30_000,
        level: 'warn',
        text: 'no multicast was seen in 10 s',
        fix: 'give the addresses of the agents with --agent host:port',
      },
    ],
    ...changes,
  });
}

/** The second of three nodes is gone, the third one's stage has failed, a fourth has none. */
export function sampleLost(): ClusterStatus {
  return sampleStatus({
    state: 'degraded',
    reason: 'studio-2 was lost; the other nodes lack 41 GiB to hold the model',
    tokensPerSecond: 0,
    requests: [],
    requestsRunning: 0,
    requestsWaiting: 0,
    nodes: [sampleNode(0), sampleNode(1, { state: 'lost' }), sampleNode(2), sampleNode(3)],
    stages: [sampleStage(0), sampleStage(1), sampleStage(2, { state: 'failed', pid: null })],
    events: [
      {
        at: SAMPLE_TIME,
        level: 'error',
        text: 'studio-2 was lost: no heartbeat for 5 s',
        fix: 'look whether studio-2 sleeps or its cable is out',
      },
    ],
  });
}

/** Nothing was measured yet: one stage loads, one waits for it, the model is there. */
export function sampleDeploying(): ClusterStatus {
  const unmeasured = {
    residentBytes: null,
    kvBytes: null,
    tokensPerSecond: null,
    decodeTokensPerSecond: null,
    stepTimeMs: null,
    busyShare: null,
    hopBytesPerSecond: null,
  };
  return sampleStatus({
    state: 'deploying',
    reason: 'stage 2 of 3 loads its weights',
    timeToFirstTokenMs: null,
    tokensPerSecond: 0,
    tokensPerSecondMinute: 0,
    requestsRunning: 0,
    requestsWaiting: 0,
    requests: [],
    events: [],
    stages: [
      sampleStage(0, { ...unmeasured, state: 'loaded' }),
      sampleStage(1, { ...unmeasured, state: 'loading', pid: null }),
      sampleStage(2, unmeasured),
    ],
  });
}

/** A controller that has just begun to look for nodes. */
export function sampleStarting(): ClusterStatus {
  return sampleStatus({
    state: 'starting',
    reason: 'waiting for 2 more nodes (1 of 3 is connected)',
    epoch: 0,
    model: null,
    timeToFirstTokenMs: null,
    tokensPerSecond: 0,
    tokensPerSecondMinute: 0,
    requestsRunning: 0,
    requestsWaiting: 0,
    nodes: [sampleNode(0)],
    stages: [],
    requests: [],
    events: [],
  });
}
