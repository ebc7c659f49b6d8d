// The forms that experts are computed in give the same answers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedExperts } from '../../../agent/engine/coded-experts.ts';
import { CodedExpertMatrix } from '../../../agent/engine/coded-matrix.ts';
import { layOut } from '../../../agent/engine/codes.ts';
import { orderByExpert } from '../../../agent/engine/expert-order.ts';
import { ExpertRouter } from '../../../agent/engine/expert-router.ts';
import { GatheredExperts } from '../../../agent/engine/gathered-experts.ts';
import { joinedWeights } from '../../../agent/engine/linear.ts';
import { mx } from '../../../agent/engine/mlx.ts';
import type { PackedWeights } from '../../../agent/engine/weights.ts';
import { largestDifference, randomPacked, randomTensor, unpacked } from '../../support/packed.ts';
import { settle } from '../../support/stages.ts';

const [EXPERTS, HIDDEN, INNER] = [8, 128, 64];
const ALWAYS = 0;
const NEVER = Number.POSITIVE_INFINITY;
/** Of answers of a few units. */
const TOLERANCE = 5e-5;

const gate = randomPacked([EXPERTS, INNER, HIDDEN], 4, 64, 10);
const up = randomPacked([EXPERTS, INNER, HIDDEN], 4, 64, 20);
const down = randomPacked([EXPERTS, HIDDEN, INNER], 4, 64, 30);

function plain(packed: PackedWeights) {
  const { scales, stored } = packed;
  const [experts, outputs, groups] = scales.shape as [number, number, number];
  const flat = (tensor: typeof scales) => tensor.reshape(experts * outputs, tensor.shape[2] as number);
  const whole = unpacked({
    ...packed,
    weight: flat(packed.weight),
    scales: flat(scales),
    biases: flat(packed.biases),
  });
  return { weight: whole.reshape(experts, outputs, groups * packed.quantization.groupSize), stored };
}

test('together, sorted and gathered, coded, packed and plain', async () => {
  const [both] = joinedWeights([gate, up]) as [PackedWeights];
  const coded = async (planes: number, togetherUpTo: number) => {
    const matrix = async (packed: PackedWeights) =>
      new CodedExpertMatrix(await layOut(packed, planes, settle), 8);
    return new CodedExperts(await matrix(both), await matrix(down), togetherUpTo);
  };
  const forms = {
    'coded, together': await coded(1, NEVER),
    'coded, sorted': await coded(1, ALWAYS),
    'coded in filled bytes, together': await coded(2, NEVER),
    'coded in filled bytes, sorted': await coded(2, ALWAYS),
    'packed, sorted': new GatheredExperts({ gate, up, down }, ALWAYS),
    'plain, gathered': new GatheredExperts({ gate: plain(gate), up: plain(up), down: plain(down) }, NEVER),
    'plain, sorted': new GatheredExperts({ gate: plain(gate), up: plain(up), down: plain(down) }, ALWAYS),
  };
  const reference = new GatheredExperts({ gate, up, down }, NEVER);
  const router = new ExpertRouter(
    { weight: randomTensor([EXPERTS, HIDDEN], 1), correction: randomTensor([EXPERTS], 2) },
    { groups: 4, keptGroups: 2, chosen: 3, isNormed: true, factor: 2.5 },
  );
  for (const tokens of [1, 2, 4, 30]) {
    const x = mx.multiply(randomTensor([tokens, HIDDEN], 40 + tokens), 0.3);
    const expected = reference.forward(x, router);
    for (const [name, form] of Object.entries(forms)) {
      const answer = form.forward(x, router);
      assert.deepEqual(answer.shape, [tokens, HIDDEN]);
      const worst = largestDifference(answer, expected);
      assert.ok(worst <= TOLERANCE, `${name}, ${tokens} tokens: ${worst}`);
    }
  }
});

test('what is not finite stays with the tokens that chose its expert', async () => {
  const isFirst = mx.equal(mx.arange(EXPERTS, mx.int32), 0).reshape(EXPERTS, 1, 1);
  const damaged = { ...down, scales: mx.where(isFirst, Number.NaN, down.scales) };
  const [both] = joinedWeights([gate, up]) as [PackedWeights];
  const matrices = [both, damaged].map(async (packed) => {
    return new CodedExpertMatrix(await layOut(packed, 1, settle), 8);
  });
  const [gateAndUp, own] = (await Promise.all(matrices)) as [CodedExpertMatrix, CodedExpertMatrix];
  // by the sign of a token's first number it chooses expert 0 or 2; and expert 1 always
  const weight = Array.from({ length: EXPERTS }, (_, expert) =>
    Array.from({ length: HIDDEN }, (_, i) => (i > 0 ? 0 : expert === 0 ? 5 : expert === 2 ? -5 : 0)),
  );
  const correction = Array.from({ length: EXPERTS }, (_, expert) => [0, 1, 0][expert] ?? -1);
  const router = new ExpertRouter(
    { weight: mx.array(weight), correction: mx.array(correction) },
    { groups: 1, keptGroups: 1, chosen: 2, isNormed: true, factor: 1 },
  );
  const signs = mx.array([1, -1]).reshape(2, 1);
  const x = mx.multiply(mx.add(randomTensor([1, HIDDEN], 7), 2), signs);
  assert.deepEqual(router.onHost(x).experts, [
    [1, 0],
    [1, 2],
  ]);
  for (const togetherUpTo of [NEVER, ALWAYS]) {
    const answer = new CodedExperts(gateAndUp, own, togetherUpTo).forward(x, router);
    const [first, second] = answer.sum(-1).tolist() as [number, number];
    assert.ok(Number.isNaN(first) && Number.isFinite(second), `${first} ${second}`);
  }
});

test('weights that are packed differently are not joined', () => {
  const other = randomPacked([EXPERTS, INNER, HIDDEN], 8, 64);
  assert.deepEqual(joinedWeights([gate, other]), [gate, other]);
});

test('tokens in the order of their experts', () => {
  assert.deepEqual(
    orderByExpert([
      [5, 2],
      [2, 7],
    ]),
    {
      groups: [
        { expert: 5, begin: 0, end: 1 },
        { expert: 2, begin: 1, end: 3 },
        { expert: 7, begin: 3, end: 4 },
      ],
      tokens: [0, 0, 1, 1],
      places: [0, 1, 2, 3],
    },
  );
  const { tokens, places } = orderByExpert([[1], [0], [1]]);
  assert.deepEqual(tokens, [0, 2, 1]);
  assert.deepEqual(places, [0, 2, 1]);
});
