// Guesses against a model of the stages: right and wrong ones, several in a step, cancelled in time or too late, among
// cancels, faults and rings that break. What every stage holds in the end is what it would hold without them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelRing, type RingSetting } from '../../support/model-ring.ts';

const SEEDS = 12;

const SETTINGS: Omit<RingSetting, 'seed' | 'faults'>[] = [
  { stageCount: 2, blocks: 4, maxSessions: 8, prefillChunkTokens: 64 },
  { stageCount: 3, blocks: 6, maxSessions: 4, prefillChunkTokens: 128 },
  { stageCount: 8, blocks: 9, maxSessions: 3, prefillChunkTokens: 256 },
];

describe('guesses leave nothing behind', () => {
  for (const faults of [0, 0.002]) {
    for (const setting of SETTINGS) {
      test(`${setting.stageCount} stages${faults > 0 ? ', with faults' : ''}`, () => {
        let kept = 0;
        let wrong = 0;
        for (let seed = 1; seed <= SEEDS; seed++) {
          const ring = new ModelRing({ ...setting, faults, seed: 2000 + seed, yieldShare: (seed % 4) / 3 });
          for (let round = 0; round < 6; round++) {
            for (let i = 0; i < 150 * setting.stageCount; i++) ring.act();
            if (round % 2 === 1) ring.breakAndRelink(seed % 3 > 0);
            if (round % 3 === 2) ring.rest();
          }
          ring.rest();
          kept += ring.keptGuesses;
          wrong += ring.wrongGuesses;
        }
        assert.ok(kept > 100 && wrong > 100, `${kept} guesses were kept, ${wrong} wrong`);
      });
    }
  }
});
