// The scheduler against a model of the stages: random requests, answers, cancels and faults, in any order that a ring
// allows, with room for a few blocks of KV only. What every stage then holds is compared with what it ought to hold.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelRing, type RingSetting } from '../../support/model-ring.ts';
import type { Asked } from '../../support/model-stage.ts';

const SEEDS = 8;
const BREAK_SEEDS = 30;

const SETTINGS: Omit<RingSetting, 'seed' | 'faults'>[] = [
  { stageCount: 1, blocks: 3, maxSessions: 8, prefillChunkTokens: 512 },
  { stageCount: 2, blocks: 4, maxSessions: 8, prefillChunkTokens: 64 },
  { stageCount: 3, blocks: 6, maxSessions: 4, prefillChunkTokens: 128 },
  { stageCount: 5, blocks: 5, maxSessions: 16, prefillChunkTokens: 256 },
];

for (const faults of [0, 0.002]) {
  describe(faults === 0 ? 'nothing goes wrong by itself' : 'a fault costs its own request only', () => {
    for (const setting of SETTINGS) {
      const { stageCount, blocks } = setting;
      test(`${stageCount} stages, ${blocks} blocks of KV`, () => {
        const ends = new Set<Asked['end']>();
        let pauses = 0;
        for (let seed = 1; seed <= SEEDS; seed++) {
          const ring = new ModelRing({ ...setting, faults, seed });
          for (let round = 0; round < 3; round++) {
            for (let i = 0; i < 600 * stageCount; i++) ring.act();
            ring.rest();
          }
          for (const end of ring.ends) ends.add(end);
          pauses += ring.pauses;
        }
        const expected = ['cancelled', 'length', 'stop', ...(faults > 0 ? ['failed'] : [])];
        assert.deepEqual([...ends].sort(), expected.sort());
        assert.ok(pauses > 10, `sessions paused ${pauses} times`);
      });
    }
  });
}

describe('a ring that breaks and is linked again goes on with the KV that all stages have', () => {
  for (const faults of [0, 0.002]) {
    for (const setting of SETTINGS) {
      const { stageCount, blocks } = setting;
      test(`${stageCount} stages, ${blocks} blocks of KV${faults > 0 ? ', and faults' : ''}`, () => {
        let savedTokens = 0;
        for (let seed = 1; seed <= BREAK_SEEDS; seed++) {
          const ring = new ModelRing({ ...setting, faults, seed: 1000 + seed });
          for (let round = 0; round < 12; round++) {
            for (let i = (seed * 37) % (90 * stageCount); i < 120 * stageCount; i++) ring.act();
            // twice at once: the second time in the middle of making the stages agree
            for (let breaks = 1 + (round % 3); breaks > 0; breaks--)
              ring.breakAndRelink((seed + round) % 5 > 0);
            if (round % 4 === 3) ring.rest();
          }
          ring.rest();
          savedTokens += ring.savedTokens;
        }
        assert.ok(savedTokens > 1000 * BREAK_SEEDS, `${savedTokens} tokens were not computed again`);
      });
    }
  }
});
