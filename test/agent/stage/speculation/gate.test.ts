// When guessing pays: streams whose tokens take given times, and what the gate makes of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate, type Unguessed } from '../../../../agent/stage/speculation/gate.ts';
import { StepCosts } from '../../../../agent/stage/speculation/step-costs.ts';
import { Yields } from '../../../../agent/stage/speculation/yields.ts';

/** @param right whether the guess for the n-th token is right @returns the share of tokens at which it was open */
function play(
  gate: Gate,
  tokens: number,
  times: { openMs: number; shutMs: number },
  right: (n: number) => boolean,
) {
  let nowMs = 0;
  let open = 0;
  for (let n = 0; n < tokens; n++) {
    const { isOpen } = gate;
    if (isOpen) open += 1;
    nowMs += isOpen ? times.openMs : times.shutMs;
    gate.token(isOpen ? (right(n) ? 'right' : 'wrong') : 'none', 1, nowMs);
  }
  return open / tokens;
}

test('where tokens come faster with guesses it stays open, but for a look now and then', () => {
  const gate = new Gate({ known: undefined });
  const share = play(gate, 2_000, { openMs: 5, shutMs: 10 }, () => true);
  assert.ok(share > 0.97, `open for ${share}`);
  assert.ok(Math.abs((gate.gain ?? 0) - 2) < 0.1, `gain ${gate.gain}`);
});

test('where they do not, it tries ever more rarely', () => {
  const share = play(new Gate({ known: undefined }), 4_000, { openMs: 10, shutMs: 10 }, (n) => n % 2 === 0);
  assert.ok(share < 0.05, `open for ${share}`);
});

test('where no guess is right a try ends after a few', () => {
  const share = play(new Gate({ known: undefined }), 2_000, { openMs: 10, shutMs: 10 }, () => false);
  assert.ok(share < 0.02, `open for ${share}`);
});

test('what one stream has measured the next one need not', () => {
  const unguessed: Unguessed = { known: undefined };
  play(new Gate(unguessed), 100, { openMs: 5, shutMs: 10 }, () => true);
  assert.equal(unguessed.known?.tokenMs, 10);
  const share = play(new Gate(unguessed), 100, { openMs: 5, shutMs: 10 }, () => true);
  assert.equal(share, 1);
});

test('what did not pay for one stream is not tried by each new one', () => {
  const unguessed: Unguessed = { known: undefined };
  const shares = Array.from({ length: 20 }, () =>
    play(new Gate(unguessed), 50, { openMs: 10, shutMs: 10 }, () => false),
  );
  assert.ok(shares.reduce((sum, share) => sum + share, 0) / 20 < 0.04, shares.join());
});

test('another crowd makes what was measured useless', () => {
  const gate = new Gate({ known: { tokenMs: 100, streams: 1, atMs: 0 } });
  for (let n = 0; n < 60; n++) gate.token(gate.isOpen ? 'right' : 'none', 1 + (n % 2), 100 * n);
  assert.equal(gate.isOpen, true, 'it never saw a stream alone for long enough to judge');
});

test('the source that is right most often comes first, and a bad spell is forgotten', () => {
  const yields = new Yields();
  const sources = [{ name: 'ngram' }, { name: 'draft' }] as const;
  const best = () => yields.ranked(sources)[0]?.name;
  assert.equal(best(), 'draft', 'before anything is known');
  for (let n = 0; n < 20; n++) yields.note('draft', n % 4 === 0);
  assert.equal(best(), 'ngram');
  for (let n = 0; n < 100; n++) yields.note('draft', true);
  assert.equal(best(), 'draft');
  assert.ok(yields.of('draft') > 0.95);
});

test('as many guesses go into one step as its measured cost pays for', () => {
  const rows = (msOf: (rows: number) => number, share: number) => {
    const costs = new StepCosts();
    for (let n = 1; n <= 8; n++) for (let i = 0; i < 5; i++) costs.note(n, msOf(n));
    return costs.rows({ yieldShare: share, stageCount: 4, guessMs: 1 });
  };
  assert.equal(
    rows((n) => 10 * n, 0.9),
    1,
    'a second row costs as much as the first',
  );
  assert.ok(rows(() => 10, 0.9) >= 4, 'rows are free');
  const fresh = new StepCosts();
  const asked = Array.from({ length: 24 }, () => fresh.rows({ yieldShare: 0.9, stageCount: 4, guessMs: 0 }));
  assert.deepEqual(
    asked.filter((count) => count > 1),
    [2, 2],
    'now and then a trial, where nothing is measured',
  );
});
