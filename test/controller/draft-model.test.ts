// Which draft a controller takes: the model's own, the one that is named, or none; never one of another vocabulary.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { chooseSpeculation } from '../../controller/draft-model.ts';
import { GuessCounts } from '../../controller/guess-counts.ts';
import { openModelFolder } from '../../protocol/model-folder.ts';
import { demoDraftDir } from '../support/guess-sources.ts';
import { demoModelDir } from '../support/paths.ts';

const model = await openModelFolder(demoModelDir);
const home = mkdtempSync(join(tmpdir(), 'espalier-test-'));
after(() => rmSync(home, { recursive: true, force: true }));
const other = join(home, 'draft');
cpSync(demoDraftDir, other, { recursive: true });
writeFileSync(join(other, 'tokenizer.json'), '{"model":{"vocab":{"a":0}}}');

test("the model's own draft is taken by itself, and its memory is told", async () => {
  const { spec, draft, guessYield } = await chooseSpeculation(model, { mode: 'auto', contextTokens: 1_000 });
  const { fingerprint: draftFingerprint } = await openModelFolder(demoDraftDir);
  assert.deepEqual(spec, { mode: 'auto', draftDir: demoDraftDir, draftFingerprint, draftKvTokens: 1_000 });
  // a latent of 64 and a key of 32 numbers in float32 for each token and layer
  assert.equal((draft?.bytes ?? 0) - (draft?.weightBytes ?? 0), 1_000 * 2 * (64 + 32) * 4);
  assert.ok(guessYield > 0);
});

test('without a draft there are n-grams, and none where nothing is to be guessed', async () => {
  const bare = { ...model, dir: other };
  assert.deepEqual((await chooseSpeculation(bare, { mode: 'auto', contextTokens: 10 })).spec, {
    mode: 'auto',
  });
  for (const mode of ['off', 'ngram'] as const)
    assert.deepEqual((await chooseSpeculation(model, { mode, contextTokens: 10 })).spec, { mode });
});

test('a draft of another vocabulary is refused', async () => {
  const wish = { mode: 'auto', draftDir: other, contextTokens: 10 } as const;
  await assert.rejects(chooseSpeculation(model, wish), { code: 'bad_option', message: /another vocabulary/ });
});

test('guesses are counted over deployments, each of which counts anew', () => {
  const counts = new GuessCounts();
  const tell = (epoch: number, sent: number, kept: number) =>
    counts.note(epoch, { totals: [{ source: 'draft', sent, kept, judged: sent }], requests: [] });
  tell(1, 10, 8);
  assert.equal(counts.yieldShare, undefined, 'too few to tell');
  tell(1, 60, 50);
  tell(2, 20, 10);
  assert.deepEqual(counts.all, [{ source: 'draft', sent: 80, kept: 60, judged: 80 }]);
  assert.equal(counts.yieldShare, 0.75);
});
