// What two stages of the demo model and its draft take on this machine, measured in this process: the numbers from which the
// simulation predicts what suite `speculation` then measures over real processes and hops.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Engine } from '../../../agent/engine/engine.ts';
import type { Row } from '../../../agent/engine/step.ts';
import { DraftSource } from '../../../agent/stage/speculation/draft-source.ts';
import { MAX_GUESS_ROWS } from '../../../agent/stage/speculation/step-costs.ts';
import { demoModelDir } from '../../cli/package-root.ts';
import { median } from '../figure.ts';
import { promptIds } from '../prompt.ts';

const LAYERS = 12;
const DRAFT_LAYERS = 2;
const CONTEXT_TOKENS = 128;
const STEPS = 30;
const LIMITS = { contextTokens: 1_024, maxSessions: 4, kvTokens: 4_096 };

export interface MeasuredHere {
  /** by rows, from 1 on: of a step in the first half of the layers, and in all of them with the draw */
  halfMs: number[];
  wholeMs: number;
  guessMs: number;
}

export async function measureHere(): Promise<MeasuredHere> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  const settle = async () => {
    collect({ type: 'minor' });
    await setImmediate();
  };
  const load = (end: number, modelDir = demoModelDir()) =>
    Engine.load({ modelDir, range: { start: 0, end }, ...LIMITS, settle });
  const half = await load(LAYERS / 2);
  const halfMs: number[] = [];
  for (let rows = 1; rows <= MAX_GUESS_ROWS; rows++) halfMs.push(await stepMs(half, rows, settle));
  const wholeMs = await stepMs(await load(LAYERS), 1, settle);
  const draft = new DraftSource(await load(DRAFT_LAYERS, `${demoModelDir()}/draft`), settle);
  return { halfMs, wholeMs, guessMs: await draftMs(draft, settle) };
}

async function stepMs(engine: Engine, count: number, settle: () => Promise<void>): Promise<number> {
  const prompt = promptIds(1, CONTEXT_TOKENS);
  const sampling = { temperature: 0, topP: 1, seed: 0 };
  const session = 1;
  engine.forget();
  engine.apply([{ op: 'open', session, requestId: 'a', sampling, maxTokens: 500, stopIds: [] }]);
  await engine.run([{ session, position: 0, count: prompt.length, sample: false }], prompt);
  const times: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    engine.apply([{ op: 'trim', session, length: CONTEXT_TOKENS }]);
    const rows = Array.from({ length: count }, (_, i): Row => {
      return { session, position: CONTEXT_TOKENS + i, count: 1, sample: true };
    });
    const begin = performance.now();
    const { hidden } = await engine.run(rows, promptIds(2, count));
    if (engine.isLast) await engine.sample(rows, hidden);
    else engine.check(rows, hidden);
    times.push(performance.now() - begin);
    await settle();
  }
  return median(times);
}

async function draftMs(draft: DraftSource, settle: () => Promise<void>): Promise<number> {
  const sampling = { temperature: 0, topP: 1, seed: 0 };
  const tokens = promptIds(1, CONTEXT_TOKENS);
  const request = { requestId: 'a', promptIds: [...tokens], maxTokens: 500, stopIds: [], sampling };
  const context = { session: 1, request, tokens, guessed: [] };
  while ((await draft.guess(context, 1)) === 'working') await settle();
  const times: number[] = [];
  for (const id of promptIds(3, STEPS)) {
    tokens.push(id);
    const begin = performance.now();
    await draft.guess(context, 1);
    times.push(performance.now() - begin);
    await settle();
  }
  return median(times);
}
