import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RankWatch } from '../../../agent/mlx-distributed/rank-watch.ts';
import { RANK_PROGRESS_TIMEOUT_MS, RANK_SILENCE_MS } from '../../../protocol/limits.ts';

function linked(): RankWatch {
  const watch = new RankWatch(0, 'pipeline');
  watch.enter('loaded', 1_000);
  watch.enter('linking', 2_000);
  watch.enter('linked', 3_000);
  return watch;
}

test('a rank that speaks and steps is left alone, however long its request takes', () => {
  const watch = linked();
  watch.began('a', 3_000);
  for (let now = 3_000; now < 3_000 + 10 * RANK_PROGRESS_TIMEOUT_MS; now += 500) {
    watch.heard(now);
    watch.steps(now, now);
    assert.equal(watch.verdict(now), undefined);
  }
});

test('silence means frozen, busy or idle', () => {
  const watch = linked();
  watch.heard(4_000);
  assert.equal(watch.verdict(4_000 + RANK_SILENCE_MS), undefined);
  assert.match(watch.verdict(4_001 + RANK_SILENCE_MS) ?? '', /frozen/);
  watch.pardon(4_001 + RANK_SILENCE_MS);
  assert.equal(watch.verdict(4_001 + RANK_SILENCE_MS), undefined);
});

test('a rank that speaks and makes no step, while it has a request, waits for another one', () => {
  const watch = linked();
  const end = 4_000 + 2 * RANK_PROGRESS_TIMEOUT_MS;
  const speak = (until: number) => {
    watch.heard(until);
    watch.steps(7, until);
  };
  speak(4_000);
  speak(end);
  assert.equal(watch.verdict(end), undefined, 'idle ranks make no steps');
  watch.began('a', end);
  watch.began('b', end + RANK_PROGRESS_TIMEOUT_MS);
  speak(end + RANK_PROGRESS_TIMEOUT_MS + 1);
  assert.match(watch.verdict(end + RANK_PROGRESS_TIMEOUT_MS + 1) ?? '', /no step/);
  watch.ended('a');
  watch.ended('b');
  assert.equal(watch.verdict(end + RANK_PROGRESS_TIMEOUT_MS + 1), undefined);
});

test('loading and finding the others have their own deadlines; waiting to be linked has none', () => {
  const watch = new RankWatch(0, 'pipeline');
  assert.equal(watch.verdict(800_000), undefined);
  assert.match(watch.verdict(901_000) ?? '', /did not load/);
  watch.enter('loaded', 901_000);
  assert.equal(watch.verdict(9_000_000), undefined);
  watch.enter('linking', 9_000_000);
  assert.match(watch.verdict(9_060_001) ?? '', /did not find the other ranks/);
  // a tensor rank reads its part of the model in this phase
  const tensor = new RankWatch(0, 'tensor');
  tensor.enter('linking', 0);
  assert.equal(tensor.verdict(800_000), undefined);
  assert.match(tensor.verdict(901_000) ?? '', /did not find the other ranks/);
});
