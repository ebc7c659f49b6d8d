// A token's experts on the host: by hand, and against the same choice on the device.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseExperts } from '../../../agent/engine/choose-experts.ts';
import { ExpertRouter } from '../../../agent/engine/expert-router.ts';
import { randomTensor } from '../../support/packed.ts';

const PLAIN = { groups: 1, keptGroups: 1, chosen: 2, isNormed: false, factor: 1 };
const NONE = [0, 0, 0, 0, 0, 0];

test('the best scores are chosen, the correction changes the choice but not the scores', () => {
  const scores = [0.5, 0.25, 0.75, 0.125];
  assert.deepEqual(chooseExperts(scores, NONE, PLAIN), { experts: [2, 0], scores: [0.75, 0.5] });
  assert.deepEqual(chooseExperts(scores, [0, 0, 0, 1], PLAIN), { experts: [3, 2], scores: [0.125, 0.75] });
});

test('only groups with the best two may be chosen from', () => {
  const scores = [0.9, 0.1, 0.5, 0.6, 0.2, 0.3];
  const rules = { ...PLAIN, groups: 3, keptGroups: 1 };
  assert.deepEqual(chooseExperts(scores, NONE, rules).experts, [3, 2]);
});

test('chosen scores are divided by their sum, unless there is one, and multiplied', () => {
  const rules = { ...PLAIN, isNormed: true, factor: 2 };
  assert.deepEqual(chooseExperts([0.25, 0.75, 0], NONE, rules).scores, [1.5, 0.5]);
  assert.deepEqual(chooseExperts([0.25, 0.75, 0], NONE, { ...rules, chosen: 1 }).scores, [1.5]);
});

test('whatever the scores are, the experts are different and there', () => {
  const rules = { ...PLAIN, groups: 2, keptGroups: 1, chosen: 3 };
  for (const value of [Number.NaN, 0, Number.NEGATIVE_INFINITY]) {
    const { experts } = chooseExperts(new Array(6).fill(value), NONE, rules);
    assert.equal(new Set(experts).size, 3);
    assert.ok(experts.every((expert) => expert >= 0 && expert < 6));
  }
  assert.deepEqual(chooseExperts([Number.NaN, 0.5, 0.25], NONE, PLAIN).experts, [1, 2]);
});

for (const rules of [
  { ...PLAIN, chosen: 4, isNormed: true, factor: 2.5 },
  { groups: 4, keptGroups: 2, chosen: 4, isNormed: true, factor: 2.5 },
  { groups: 8, keptGroups: 3, chosen: 3, isNormed: false, factor: 1 },
]) {
  test(`host and device choose alike: ${rules.chosen} of ${rules.keptGroups}/${rules.groups} groups`, () => {
    const router = new ExpertRouter(
      { weight: randomTensor([16, 32], 3), correction: randomTensor([16], 4) },
      rules,
    );
    const x = randomTensor([50, 32], 5);
    const host = router.onHost(x);
    const device = router.onDevice(x);
    const indices = device.indices.tolist() as number[][];
    const scores = device.scores.tolist() as number[][];
    for (const [token, experts] of host.experts.entries()) {
      const own = indices[token] as number[];
      assert.deepEqual(experts.toSorted(), own.toSorted(), `token ${token}`);
      for (const [i, expert] of experts.entries()) {
        const other = scores[token]?.[own.indexOf(expert)] as number;
        assert.ok(Math.abs((host.scores[token]?.[i] as number) - other) <= 1e-6);
      }
    }
  });
}
