// Rotary positions against float64 references (held against mlx-lm's by scripts/parity), up to position 100,000.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mx } from '../../../agent/engine/mlx.ts';
import { Rope, RopeScaling } from '../../../agent/engine/rope.ts';
import { ropeCases } from '../../support/parity.ts';

/** float32 numbers of about this many units: two products and a sum of them round less than this. */
const TOLERANCE = 2e-6;

function assertNear(actual: number[], expected: number[], what: string): void {
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] as number))));
  assert.ok(worst <= TOLERANCE, `${what} differs by ${worst}`);
}

for (const { name, dims, base, pairs, scaling, x, positions, rotated } of ropeCases) {
  test(`${name}: rotated as in float64 up to position ${positions.at(-1)}, alone and together`, () => {
    const rope = new Rope({ dims, base, pairs, scaling: RopeScaling.parse(scaling) });
    const rows = mx.array(positions.map(() => x)).reshape(positions.length, 1, dims);
    const together = rope
      .rotation(positions)
      .apply(rows)
      .reshape(positions.length, dims)
      .tolist() as number[][];
    for (const [i, position] of positions.entries()) {
      assertNear(together[i] as number[], rotated[i] as number[], `position ${position} among others`);
      const alone = rope.rotation([position]).apply(mx.array([x]).reshape(1, 1, dims));
      assertNear(alone.flatten().tolist() as number[], rotated[i] as number[], `position ${position} alone`);
    }
  });
}

test('a scaling that is not known is refused with the list of those that are', () => {
  const result = RopeScaling.safeParse({ rope_type: 'dynamic', factor: 2 });
  assert.match(result.error?.issues[0]?.message ?? '', /"default", "linear", "llama3" and "yarn"/);
});
