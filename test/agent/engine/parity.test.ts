// Every architecture, layout and packing against mlx-lm: the same logits and tokens, whatever the split, the chunks and
// the batch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tensor } from '../../../agent/engine/mlx.ts';
import type { Row, SessionOp } from '../../../agent/engine/step.ts';
import type { LayerRange } from '../../../protocol/plan.ts';
import { type ParityCase, parityModels } from '../../support/parity.ts';
import { StageChain } from '../../support/stages.ts';

const TOLERANCE = 1e-3;

/** Every way to cut the layers: [0, 3), then [0, 1) [1, 3), … down to one layer a stage. */
function everySplit(layers: number): LayerRange[][] {
  return Array.from({ length: 2 ** (layers - 1) }, (_, cuts) => {
    const inner = Array.from({ length: layers - 1 }, (_, i) => i + 1).filter((at) => cuts & (1 << (at - 1)));
    const bounds = [0, ...inner, layers];
    return bounds.slice(1).map((end, i) => ({ start: bounds[i] as number, end }));
  });
}

function assertLogits(logits: number[] | undefined, { prompt_ids, last_prompt_logits }: ParityCase): void {
  const differences = last_prompt_logits.map((value, id) => Math.abs(value - (logits?.[id] ?? Number.NaN)));
  const worst = differences.reduce((a, b) => (a >= b ? a : b));
  assert.ok(worst <= TOLERANCE, `after ${prompt_ids.length} tokens a logit differs by ${worst}`);
}

/** One list of logits for each sampling row. */
function logitsOf(chain: StageChain, rows: Row[], hidden: Tensor): number[][] {
  return (chain.last.logits(rows, hidden) as Tensor).tolist() as number[][];
}

/** All prompts whole in one step. @returns their logits, in order, and their sessions */
async function prefillTogether(chain: StageChain, cases: ParityCase[]) {
  const rows: Row[] = [];
  const ops: SessionOp[] = [];
  for (const { prompt_ids } of cases) {
    const { session, op } = chain.open({ stopIds: [] });
    rows.push({ session, position: 0, count: prompt_ids.length, sample: true });
    ops.push(op);
  }
  const ids = cases.flatMap(({ prompt_ids }) => prompt_ids);
  const hidden = await chain.forward(rows, ids, ops);
  return { rows, logits: logitsOf(chain, rows, hidden) };
}

for (const { name, dir, layers, cases } of parityModels) {
  const maxTokens = (cases[0] as ParityCase).greedy_ids.length;
  const greedy = cases.map(({ greedy_ids }) => greedy_ids);

  test(`${name}: prompts of different lengths in one step, split at every layer`, async () => {
    for (const ranges of everySplit(layers)) {
      const chain = await StageChain.load(ranges, dir);
      const { rows, logits } = await prefillTogether(chain, cases);
      for (const [i, reference] of cases.entries()) assertLogits(logits[i], reference);
      for (const { session } of rows) chain.drop(session);
      const prompts = cases.map(({ prompt_ids }) => prompt_ids);
      const tokens = await chain.generateTogether(prompts, { maxTokens, stopIds: [] });
      assert.deepEqual(tokens, greedy, `in ${ranges.length} stages`);
    }
  });

  test(`${name}: alone, the prompt in chunks of any length`, async () => {
    const chain = await StageChain.load([{ start: 0, end: layers }], dir);
    for (const chunk of [1, 5, 16, 64]) {
      for (const { prompt_ids, greedy_ids } of cases) {
        if (chunk > prompt_ids.length && chunk < 64) continue; // the same as whole
        const tokens = await chain.generate(prompt_ids, { chunk, maxTokens, stopIds: [] });
        assert.deepEqual(tokens, greedy_ids, `${prompt_ids.length} tokens in chunks of ${chunk}`);
      }
    }
  });

  test(`${name}: one stream decodes while another's prompt comes in`, async () => {
    const chain = await StageChain.load([{ start: 0, end: layers }], dir);
    const [short, long] = [cases.at(0), cases.at(-1)] as [ParityCase, ParityCase];
    const first = chain.open({ stopIds: [] });
    const second = chain.open({ stopIds: [] });
    const start = { session: first.session, position: 0, count: short.prompt_ids.length, sample: true };
    const drawn = (await chain.step([start], short.prompt_ids, [first.op, second.op])).map((s) => s.token);
    let last: number[] | undefined;
    for (let done = 0; done < long.prompt_ids.length; ) {
      const chunk = long.prompt_ids.slice(done, done + 7);
      const position = short.prompt_ids.length + drawn.length - 1;
      const rows = [
        { session: first.session, position, count: 1, sample: true },
        { session: second.session, position: done, count: chunk.length, sample: true },
      ];
      const hidden = await chain.forward(rows, [drawn.at(-1) as number, ...chunk]);
      last = logitsOf(chain, rows, hidden)[1];
      const [sampled] = await chain.sample(rows, hidden);
      drawn.push(sampled?.token as number);
      done += chunk.length;
    }
    assertLogits(last, long);
    assert.deepEqual(drawn, short.greedy_ids.slice(0, drawn.length));
  });
}
