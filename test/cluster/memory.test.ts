// Memory stays flat over a long answer: node-mlx frees nothing by itself, so a stage that forgot to settle would grow
// by megabytes a token.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { STATS_INTERVAL_MS } from '../../protocol/limits.ts';
import { ALL_CASES } from '../support/all-cases.ts';
import { TestCluster } from '../support/cluster.ts';
import { referenceCases } from '../support/reference.ts';

const TOKENS = ALL_CASES ? 2_000 : 250;
/** A stage of the demo model keeps more than that of each token. */
const KV_BYTES_A_TOKEN = 500;
const ROOM_BYTES = 20_000_000;

test(`over ${TOKENS} tokens, a worker grows by its KV and no more than 20 MB`, async () => {
  const cluster = await TestCluster.up({ nodes: 3 });
  try {
    const stages = async () => {
      await delay(2 * STATS_INTERVAL_MS); // the next report of each worker
      return cluster.controller.status().stages;
    };
    const prompt = referenceCases[0]?.prompt_ids ?? [];
    await cluster.generate(prompt, { stopIds: [], maxTokens: 20 });
    const before = await stages();
    const abort = new AbortController();
    let kvBytes: number[] = [];
    const request = {
      promptIds: prompt,
      stopIds: [],
      maxTokens: TOKENS,
      sampling: { temperature: 0, topP: 1, seed: 0 },
    };
    for await (const { index } of cluster.controller.source.generate(request, abort.signal)) {
      if (index === TOKENS - 2)
        kvBytes = cluster.controller.status().stages.map((stage) => stage.kvBytes ?? 0);
    }
    const after = await stages();
    for (const [i, stage] of after.entries()) {
      const grown = (stage.residentBytes ?? 0) - (before[i]?.residentBytes ?? 0);
      assert.ok(
        (kvBytes[i] as number) > KV_BYTES_A_TOKEN * TOKENS,
        `stage ${i} reports ${kvBytes[i]} bytes of KV`,
      );
      assert.ok(
        grown < (kvBytes[i] as number) + ROOM_BYTES,
        `stage ${i} grew by ${(grown / 1e6).toFixed(1)} MB`,
      );
    }
    assert.equal(cluster.controller.status().kv?.liveTokens, 0, 'nobody runs');
    // and many requests leave no more than one did
    for (let round = 0; round < 2; round++) {
      await Promise.all(
        Array.from({ length: 4 }, () => cluster.generate(prompt, { stopIds: [], maxTokens: 80 })),
      );
    }
    for (const [i, stage] of (await stages()).entries()) {
      const grown = (stage.residentBytes ?? 0) - (before[i]?.residentBytes ?? 0) - (stage.kvBytes ?? 0);
      assert.ok(grown < 2 * ROOM_BYTES, `after all, stage ${i} has grown by ${(grown / 1e6).toFixed(1)} MB`);
    }
  } finally {
    await cluster.down();
  }
});
