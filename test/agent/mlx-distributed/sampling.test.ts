// The ranks' draws against the plain float64 reference that holds our own sampler to account: the same random numbers,
// the same order of options, the same ties.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { z } from 'zod';
import { uniformAt } from '../../../agent/engine/sampling/uniform.ts';
import { rankSource } from '../../../agent/mlx-distributed/sources.ts';
import type { Sampling } from '../../../protocol/generate.ts';
import { noMlx, testEnginesDir } from '../../support/mlx.ts';
import {
  distanceFromShare,
  randomLogits,
  referenceLogits,
  referenceProbabilities,
} from '../../support/sampling.ts';

const skip = await noMlx();

/** Draws what each line asks for; a line of JSON in, a token out. */
const DRIVER = `
import json, sys
import mlx.core as mx
if sys.platform == "linux":
    mx.set_default_device(mx.cpu)
from espalier_rank.sampling import Adjuster, draw_row, parse_sampling, uniform_at
for line in sys.stdin:
    ask = json.loads(line)
    row = mx.array(ask["logits"], mx.float32)
    sampling = parse_sampling(ask["sampling"])
    adjuster = Adjuster.of(sampling, row.size, ask["stopIds"], ask["promptIds"], ask["answerIds"])
    drawn = draw_row(row, sampling, adjuster, len(ask["answerIds"]))
    print(json.dumps({"token": drawn.token.item(), "uniform": uniform_at(sampling.seed, len(ask["answerIds"]))}))
`;

const Drawn = z.object({ token: z.int(), uniform: z.number() });

const WAYS: Omit<Sampling, 'seed'>[] = [
  { temperature: 0, topP: 1 },
  { temperature: 1, topP: 1 },
  { temperature: 0.6, topP: 0.95 },
  { temperature: 1.3, topP: 0.5, topK: 20 },
  { temperature: 1, topP: 1, topK: 7 },
  { temperature: 0.8, topP: 0.9, minP: 0.05, topK: 300 },
  { temperature: 1, topP: 1, minP: 0.2 },
  { temperature: 1, topP: 0.99, topK: 1_000_000 },
  { temperature: 0.7, topP: 0.9, repetitionPenalty: 1.3, presencePenalty: 0.7, frequencyPenalty: -0.4 },
  {
    temperature: 1,
    topP: 1,
    logitBias: [
      [3, 9],
      [4, -100],
    ],
    minTokens: 50,
  },
  { temperature: 0, topP: 1, logitBias: [[17, 30]], repetitionPenalty: 2 },
];

test('every draw is the token whose share of [0, 1) the random number lies in', {
  skip,
  timeout: 120_000,
}, async () => {
  const asks = WAYS.flatMap((way, i) =>
    [0, 1, 2, 3, 4, 5].map((round) => {
      // whole numbers have ties, which go by their ids
      const raw = randomLogits(1_000, 3, 100 * i + round);
      const logits = round % 2 === 0 ? raw : raw.map(Math.round);
      const answerIds = Array.from({ length: 3 * round }, (_, k) => (k * 7) % 12);
      return {
        logits,
        sampling: { ...way, seed: 1_000 * i + round },
        stopIds: [1, 2],
        promptIds: [5, 6, 900],
        answerIds,
      };
    }),
  );
  const { stdout } = await execa(
    join(testEnginesDir, 'mlx-distributed', 'python', 'bin', 'python'),
    ['-s', '-B', '-c', DRIVER],
    {
      cwd: dirname(rankSource('rank.py')),
      input: asks.map((ask) => JSON.stringify(ask)).join('\n'),
      env: { OPENBLAS_NUM_THREADS: '1' },
    },
  );
  const drawn = stdout.split('\n').map((line) => Drawn.parse(JSON.parse(line)));
  assert.equal(drawn.length, asks.length);
  for (const [i, ask] of asks.entries()) {
    const { token, uniform } = drawn[i] as z.infer<typeof Drawn>;
    assert.equal(uniform, uniformAt(ask.sampling.seed, ask.answerIds.length));
    const probabilities = referenceProbabilities(
      referenceLogits(ask.logits, ask.sampling, ask),
      ask.sampling,
    );
    assert.ok(
      (probabilities[token] ?? 0) > 0,
      `${JSON.stringify(ask.sampling)} drew ${token}, which it filters`,
    );
    const distance = distanceFromShare(probabilities, token, uniform);
    assert.ok(distance < 1e-6, `${JSON.stringify(ask.sampling)} drew ${token}, off by ${distance}`);
  }
});
