import assert from 'node:assert/strict';
import { test } from 'node:test';
import { History } from '../../controller/history.ts';
import { ClusterHistory } from '../../protocol/history.ts';
import { MAX_HISTORY_BYTES, MAX_HISTORY_NODES } from '../../protocol/limits.ts';
import type { StageStats } from '../../protocol/stage.ts';

function stats(tokensTotal: number, busyShare = 0.5): StageStats {
  return {
    ...{ pid: 1, residentBytes: 1, weightBytes: 1, kvBytes: 1, sessions: 0, stepsTotal: 1 },
    ...{ tokensPerSecond: 0, decodeTokensPerSecond: 0, stepTimeMs: null, hopBytesPerSecond: 0 },
    tokensTotal,
    busyShare,
  };
}

test('each node has its rate and its busy share, the cluster its own; all end at the same second', () => {
  const history = new History(0);
  for (let at = 0; at <= 10_000; at += 500) {
    history.report('a', 1, stats(at / 100), at);
    history.report('b', 1, stats(at / 100, 0.9), at);
    history.count(at / 200, at);
  }
  const told = ClusterHistory.parse(history.told(10_300, 1_000_000));
  assert.equal(told.at, 1_000_000 - 1_000 - 300);
  assert.deepEqual(told.tokensPerSecond, Array(9).fill(5));
  assert.deepEqual(
    told.nodes.map(({ id, tokensPerSecond, busyShare }) => [id, tokensPerSecond.at(-1), busyShare.at(-1)]),
    [
      ['a', 10, 0.5],
      ['b', 10, 0.9],
    ],
  );
});

test('counters that begin anew with another deployment are no negative rate', () => {
  const history = new History(0);
  history.report('a', 1, stats(1_000), 0);
  history.report('a', 1, stats(1_010), 1_000);
  history.report('a', 2, stats(3), 2_000);
  history.report('a', 2, stats(8), 3_000);
  const [node] = history.told(5_000, 0).nodes;
  assert.deepEqual(node?.tokensPerSecond, [10, null, 5, null]);
});

test('nodes that come and go do not let it grow, and the largest is within its limit', () => {
  const history = new History(0);
  for (let node = 0; node < 2 * MAX_HISTORY_NODES; node++) {
    history.report(`0123456789abcdef0123456789abcdef-${node}`, 1, stats(0), node);
    history.report(`0123456789abcdef0123456789abcdef-${node}`, 1, stats(9_999_999, 0.777), 600_000 + node);
  }
  const told = ClusterHistory.parse(history.told(601_000, 0));
  assert.equal(told.nodes.length, MAX_HISTORY_NODES);
  assert.ok(Buffer.byteLength(JSON.stringify(told)) < MAX_HISTORY_BYTES);
});
