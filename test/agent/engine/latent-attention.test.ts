// Latent attention's forms against each other, and a step's rows against each row alone, with a fixture's own heads.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Checkpoint } from '../../../agent/engine/checkpoint.ts';
import { KvCache } from '../../../agent/engine/kv-cache.ts';
import {
  cheapestForm,
  type Form,
  LatentAttention,
  type LatentHeads,
  type LatentStep,
} from '../../../agent/engine/latent-attention.ts';
import { HeadLinear } from '../../../agent/engine/linear.ts';
import { mx, type Tensor } from '../../../agent/engine/mlx.ts';
import { splitTokens } from '../../../agent/engine/rows.ts';
import type { Row } from '../../../agent/engine/step.ts';
import { Weights } from '../../../agent/engine/weights.ts';
import { openModelFolder } from '../../../protocol/model-folder.ts';
import { largestDifference, randomTensor } from '../../support/packed.ts';
import { fixturesDir } from '../../support/paths.ts';
import { settle } from '../../support/stages.ts';

// of the fixture
const [HEADS, RANK, NOPE, ROPE, VALUE] = [2, 64, 32, 16, 32];
const KV_B = 'model.layers.0.self_attn.kv_b_proj';
/** Of answers of about 1. */
const TOLERANCE = 1e-5;

async function fixtureHeads(): Promise<LatentHeads> {
  const folder = await openModelFolder(join(fixturesDir, 'parity', 'deepseek_v3-r1-4bit'));
  const shape = [HEADS * (NOPE + VALUE), RANK];
  const checkpoint = new Checkpoint(folder, () => undefined);
  const weights = await Weights.open(checkpoint, [{ kind: 'linear', path: KV_B, shape, part: 'heads' }]);
  const ofRows = (begin: number, end: number, inputs: 'rows' | 'columns') =>
    HeadLinear.ofRows(weights, KV_B, { heads: HEADS, begin, end, inputs });
  const heads = weights.part('heads', () => ({
    keys: ofRows(0, NOPE, 'rows'),
    values: ofRows(NOPE, NOPE + VALUE, 'columns'),
    dims: { rank: RANK, nopeDims: NOPE, valueDims: VALUE },
  }));
  await weights.load(settle);
  return heads;
}

function stepOf(tokens: number, seed: number): LatentStep {
  return {
    queries: randomTensor([tokens, HEADS, NOPE], seed),
    rotatedQueries: randomTensor([tokens, HEADS, ROPE], seed + 1),
    latents: randomTensor([tokens, 1, RANK], seed + 2),
    keys: randomTensor([tokens, 1, ROPE], seed + 3),
  };
}

/** The parts of consecutive rows. */
function partsOf(step: LatentStep, counts: number[]): LatentStep[] {
  const split = {
    queries: splitTokens(step.queries, counts),
    rotatedQueries: splitTokens(step.rotatedQueries, counts),
    latents: splitTokens(step.latents, counts),
    keys: splitTokens(step.keys, counts),
  };
  const at = (parts: Tensor[], i: number) => parts[i] as Tensor;
  return counts.map((_, i) => ({
    queries: at(split.queries, i),
    rotatedQueries: at(split.rotatedQueries, i),
    latents: at(split.latents, i),
    keys: at(split.keys, i),
  }));
}

function row(session: number, position: number, count: number): Row {
  return { session, position, count, sample: true };
}

/** A token sees itself and what was before it. */
function mask({ position, count }: Row): Tensor | undefined {
  if (count === 1) return undefined;
  const rows = Array.from({ length: count }, (_, q) =>
    Array.from({ length: position + count }, (_, k) => (k <= position + q ? 0 : Number.NEGATIVE_INFINITY)),
  );
  return mx.array(rows);
}

function forward(attention: LatentAttention, rows: Row[], step: LatentStep): Tensor {
  const answer = attention.forward(rows, rows.map(mask), step);
  mx.eval(answer);
  return answer;
}

const heads = await fixtureHeads();
const withForm = (form: Form) =>
  new LatentAttention(new KvCache(), heads, ({ count }) => (count === 1 ? 'token' : form));

test('a prompt whole, in chunks and token by token, absorbed and plain', () => {
  const step = stepOf(23, 1);
  const expected = forward(withForm('plain'), [row(1, 0, 23)], step);
  assert.deepEqual(expected.shape, [23, HEADS, VALUE]);
  for (const form of ['absorbed', 'plain'] as const) {
    for (const counts of [[23], [9, 14], [5, 1, 17], new Array<number>(23).fill(1)]) {
      const attention = withForm(form);
      let position = 0;
      const answers = partsOf(step, counts).map((part, i) => {
        const own = row(1, position, counts[i] as number);
        position += own.count;
        return forward(attention, [own], part);
      });
      const worst = largestDifference(
        answers.length === 1 ? (answers[0] as Tensor) : mx.concatenate(answers, 0),
        expected,
      );
      assert.ok(worst <= TOLERANCE, `${form}, ${counts.join(' + ')}: ${worst}`);
    }
  }
});

test('single tokens and chunks of sessions of different lengths in one step give what each gives alone', () => {
  const lengths = [3, 11, 7, 1];
  const prompts = lengths.map((length, i) => stepOf(length, 100 + 10 * i));
  // tokens before, between and behind chunks, one of them in another form
  const rows = [row(0, 3, 1), row(1, 11, 1), row(2, 7, 6), row(3, 1, 1), row(4, 0, 5)];
  const step = stepOf(14, 200);
  const formOf = ({ session, count }: Row): Form =>
    count === 1 ? 'token' : session === 2 ? 'absorbed' : 'plain';
  const prompted = () => {
    const attention = new LatentAttention(new KvCache(), heads, formOf);
    for (const [i, prompt] of prompts.entries())
      forward(attention, [row(i, 0, lengths[i] as number)], prompt);
    return attention;
  };
  const together = forward(prompted(), rows, step);
  const attention = prompted();
  const counts = rows.map(({ count }) => count);
  const alone = partsOf(step, counts).map((part, i) => forward(attention, [rows[i] as Row], part));
  const worst = largestDifference(together, mx.concatenate(alone, 0));
  assert.ok(worst <= TOLERANCE, `${worst}`);
});

test('short chunks are absorbed, long ones are not; for R1 the border is near 170 tokens', () => {
  const r1 = { rank: 512, nopeDims: 128, valueDims: 128 };
  const form = (count: number, position = 10_000) => cheapestForm(row(1, position, count), r1);
  assert.equal(form(1), 'token');
  assert.equal(form(2), 'absorbed');
  assert.equal(form(160), 'absorbed');
  assert.equal(form(176), 'plain');
  assert.equal(form(512), 'plain');
  // a prompt's first chunk has little context to unpack
  assert.equal(form(160, 0), 'plain');
});
