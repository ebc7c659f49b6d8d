// The numbers of the demo's table, and when they are complete.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterStatus, StageStatus } from '../../../protocol/status.ts';
import { hasSettled, throughputTable } from '../../../scripts/demo/throughput-table.ts';

function stage(index: number, tokensTotal: number, measured: Partial<StageStatus> = {}): StageStatus {
  return {
    index,
    nodeId: `node-id-${index}`,
    node: `demo-${index + 1}`,
    range: { start: index * 4, end: index * 4 + 4 },
    state: 'linked',
    pid: 1,
    residentBytes: null,
    weightBytes: 2 * 1024 * 1024,
    kvBytes: null,
    tokensPerSecond: null,
    decodeTokensPerSecond: null,
    stepTimeMs: null,
    busyShare: null,
    hopBytesPerSecond: null,
    tokensTotal,
    ...measured,
  };
}

function status(stages: StageStatus[], epoch = 1): ClusterStatus {
  return {
    at: 0,
    espalierVersion: '0.1.0',
    controllerPid: 1,
    state: 'serving',
    reason: null,
    engine: 'node-mlx',
    epoch,
    model: null,
    tokensPerSecond: 0,
    tokensPerSecondMinute: 0,
    timeToFirstTokenMs: null,
    tokensTotal: 0,
    requestsRunning: 0,
    requestsWaiting: 0,
    requestsCompleted: 0,
    requestsFailed: 0,
    nodes: [],
    stages,
    requests: [],
    events: [],
  };
}

test('a row per stage: the tokens of this answer over its time, and what is not measured as such', () => {
  const before = status([stage(0, 100), stage(1, 100)]);
  const after = status([
    stage(0, 220, { stepTimeMs: 3.25, residentBytes: 150 * 1024 * 1024 }),
    stage(1, 100),
  ]);
  assert.equal(
    throughputTable(before, after, 2_000),
    [
      'node    layers  tok/s  step ms   memory  weights',
      'demo-1  0–3      60.0      3.3  150 MiB  2.0 MiB',
      'demo-2  4–7         –        –        –  2.0 MiB',
    ].join('\n'),
  );
});

test('a new epoch counts from zero', () => {
  const before = status([stage(0, 1_000)], 1);
  const after = status([stage(0, 50)], 2);
  assert.match(throughputTable(before, after, 1_000), /^demo-1 +0–3 +50\.0 /m);
});

test('the numbers are complete when all stages have counted the same new tokens', () => {
  const before = status([stage(0, 100), stage(1, 90)]);
  assert.equal(hasSettled(before, status([stage(0, 100), stage(1, 90)])), false);
  assert.equal(hasSettled(before, status([stage(0, 140), stage(1, 90)])), false);
  assert.equal(hasSettled(before, status([stage(0, 140), stage(1, 120)])), false);
  assert.equal(hasSettled(before, status([stage(0, 140), stage(1, 130)])), true);
});
