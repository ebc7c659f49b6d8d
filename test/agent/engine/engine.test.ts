// The engine against mlx-lm: the reference cases' logits and tokens, whatever the split and the batch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../../support/all-cases.ts';
import { referenceCases } from '../../support/reference.ts';
import { evenRanges, StageChain } from '../../support/stages.ts';

const EOS = 1;
function assertTokens(cases: typeof referenceCases, outputs: number[][]): void {
  for (const [i, reference] of cases.entries()) {
    const shown = (outputs[i] as number[]).filter((id) => id !== EOS);
    assert.deepEqual(
      shown,
      reference.greedy_ids.filter((id) => id !== EOS),
      `case ${i} (${reference.kind})`,
    );
  }
}

for (const stages of [1, 2, 3, 6]) {
  test(`through ${stages} stages, logits after each prompt are mlx-lm's to 1e-3`, async () => {
    const chain = await StageChain.load(evenRanges(12, stages));
    let compared = 0;
    for (const [i, reference] of referenceCases.entries()) {
      if (!reference.last_prompt_logits) continue;
      const { session, op } = chain.open();
      const rows = [{ session, position: 0, count: reference.prompt_ids.length, sample: true }];
      const hidden = await chain.forward(rows, reference.prompt_ids, [op]);
      const logits = chain.lastLogits(rows, hidden);
      const worst = Math.max(
        ...reference.last_prompt_logits.map((value, id) => Math.abs(value - (logits[id] as number))),
      );
      assert.ok(worst <= 1e-3, `case ${i}: a logit differs by ${worst}`);
      chain.drop(session);
      compared++;
    }
    assert.ok(compared > 0);
  });
}

// through 3 and 6 stages in processes of their own: test/cluster/answers.test.ts
for (const stages of [1, 2]) {
  test(`through ${stages} stages, the reference cases at once give mlx-lm's tokens`, async () => {
    const chain = await StageChain.load(evenRanges(12, stages));
    const cases = sampleOf(referenceCases, stages === 1 ? 4 : 2);
    assertTokens(cases, await chain.generateTogether(cases.map(({ prompt_ids }) => prompt_ids)));
  });
}

test('one at a time and with the prompt in chunks of any length, the tokens are the same', async () => {
  const chain = await StageChain.load([
    { start: 0, end: 5 },
    { start: 5, end: 12 },
  ]);
  const cases = sampleOf(referenceCases, 8);
  const outputs = [];
  for (const [i, { prompt_ids }] of cases.entries())
    outputs.push(await chain.generate(prompt_ids, { chunk: 1 + ((i * 7) % 40) }));
  assertTokens(cases, outputs);
});
