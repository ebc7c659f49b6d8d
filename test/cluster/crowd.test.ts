// 200 clients at once, slow readers, half of them leaving amid their answers: the others' answers are right, and nothing
// is left behind. `npm run bench -- api` does the same for a minute.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { crowd } from '../../scripts/bench/api/crowd.ts';
import { TestCluster } from '../support/cluster.ts';
import { referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

const CLIENTS = 200;
/** Few, since this is about the clients: 600 tokens in all. */
const MAX_TOKENS = 4;
/** What V8 may keep of 200 requests' code and buffers. */
const ROOM_BYTES = 40_000_000;

/** Open files and sockets of this process; undefined where the system does not tell. */
function openFiles(): number | undefined {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : undefined;
}

test(`${CLIENTS} streaming clients, half of them leave: right answers, nothing left`, async () => {
  const cluster = await TestCluster.up({ nodes: 1 });
  try {
    const options = {
      ...{ url: cluster.url, clients: CLIENTS, durationMs: 0, maxTokens: MAX_TOKENS, readDelayMs: 5 },
      questions: referenceCases
        .filter(({ prompt_ids }) => prompt_ids.length < 60)
        .slice(0, 12)
        .map(({ messages, text }) => ({ messages, answer: text })),
      signal: AbortSignal.timeout(50_000),
    };
    // the first requests bring what stays: code, sockets of the pool
    await crowd({ ...options, clients: 20 });
    const files = openFiles();
    const { heapUsed } = process.memoryUsage();
    const { right, wrong, left, failed } = await crowd(options);
    assert.deepEqual({ wrong, failed }, { wrong: [], failed: [] });
    assert.ok(right >= CLIENTS / 2, `${right} right, ${left} left`);
    assert.equal(right + left, CLIENTS);
    await until(() => cluster.controller.status().kv?.liveTokens === 0, 'a report without live KV');
    const { requestsRunning, requestsWaiting, requests } = cluster.controller.status();
    assert.deepEqual(
      { requestsRunning, requestsWaiting, requests },
      { requestsRunning: 0, requestsWaiting: 0, requests: [] },
    );
    if (files !== undefined) await until(() => (openFiles() ?? 0) <= files + 10, 'the connections to close');
    assert.ok(process.memoryUsage().heapUsed < heapUsed + ROOM_BYTES);
  } finally {
    await cluster.down();
  }
});
