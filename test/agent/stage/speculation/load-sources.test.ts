// A draft that a worker holds when its next place is taken: kept, with the limits of that place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { draftFor } from '../../../../agent/stage/speculation/load-sources.ts';
import type { GuessContext } from '../../../../agent/stage/speculation/source.ts';
import type { StageSpec } from '../../../../protocol/stage.ts';
import { demoDraftDir } from '../../../support/guess-sources.ts';
import { referenceCases } from '../../../support/reference.ts';
import { GREEDY } from '../../../support/sampling.ts';
import { settle } from '../../../support/stages.ts';

const NONE = 'sha256:none';

function spec(draftKvTokens: number): StageSpec {
  return {
    ...{ epoch: 1, index: 0, stageCount: 2, range: { start: 0, end: 6 } },
    ...{ modelDir: '/nowhere', modelFingerprint: '', contextTokens: 4096, maxSessions: 4, kvTokens: 4096 },
    ...{ prefillChunkTokens: 64, maxChunkScores: 1e9, hopToken: 'a secret of this deployment' },
    neighbours: { before: NONE, after: NONE },
    speculation: { mode: 'draft', draftDir: demoDraftDir, draftKvTokens },
  };
}

test('a held draft takes the limits of its next place', async () => {
  const [reference] = referenceCases;
  const promptIds = [...(reference?.prompt_ids ?? []), ...(reference?.prompt_ids ?? [])].slice(0, 40);
  assert.equal(promptIds.length, 40);
  const request = { requestId: 'a', promptIds, maxTokens: 50, stopIds: [1], sampling: GREEDY };
  const context: GuessContext = { session: 7, request, tokens: promptIds, guessed: [] };

  // enough to warm up, and one text of 40 tokens with its room to grow is too much
  const small = await draftFor(spec(72), undefined, settle);
  assert.ok(small);
  assert.deepEqual(await small.source.guess(context, 1), []);
  const large = await draftFor(spec(4096), small, settle);
  assert.equal(large?.source, small.source, 'nothing is read again');
  assert.equal((await large?.source.guess(context, 1))?.length, 1);
});
