// Suite `api`: what the API adds to each token, and what becomes of many clients that read slowly and leave.
import { demoModelDir } from '../../cli/package-root.ts';
import { type AddedTime, addedTime } from '../api/added-time.ts';
import { askAlone, crowd, type Question } from '../api/crowd.ts';
import { bringUp } from '../bench-cluster.ts';
import { type Figure, figure, median, type SuiteContext } from '../figure.ts';

const ROUNDS = 3;
const TOKENS = 60;
const STREAMS = [1, 50];
const CROWD_MS = 60_000;
const CROWD_CLIENTS = 200;
/** Of each answer: 200 clients share one machine, and the last one to begin in time must end too. */
const CROWD_TOKENS = 20;
const READ_DELAY_MS = 20;

export async function apiSuite({ say, rounds = ROUNDS }: SuiteContext): Promise<Figure[]> {
  const modelDir = demoModelDir();
  await using cluster = await bringUp({ modelDir, stages: 3 });
  const { controller } = cluster;
  const figures: Figure[] = [];
  for (const streams of STREAMS) {
    const prompts = Array.from(
      { length: streams },
      (_, n) => `<｜User｜>What is ${100 + n} plus 72?<｜Assistant｜><think>\n`,
    );
    // the first answers of a fresh process are slower than all that follow
    await addedTime(controller, prompts, TOKENS);
    const measured: AddedTime[] = [];
    for (let round = 1; round <= rounds; round++) {
      const added = await addedTime(controller, prompts, TOKENS);
      measured.push(added);
      say(
        `${streams} streams, round ${round}: p50 ${added.p50Ms.toFixed(2)} ms, p99 ${added.p99Ms.toFixed(2)} ms`,
      );
    }
    const compared = `median of ${rounds} rounds, ${streams} streams of at most ${TOKENS} tokens, demo model on 3 stages, client and API in one process`;
    figures.push(
      figure({
        suite: 'api',
        name: `time that the API adds to a token, ${streams} streams, p50`,
        value: median(measured.map(({ p50Ms }) => p50Ms)),
        unit: 'ms',
        aim: '<= 1',
        compared,
      }),
      figure({
        suite: 'api',
        name: `the same, p99`,
        value: median(measured.map(({ p99Ms }) => p99Ms)),
        unit: 'ms',
        aim: null,
        compared,
      }),
    );
  }
  const { right, wrong, left, failed, rates } = await crowd({
    url: controller.url,
    clients: CROWD_CLIENTS,
    durationMs: CROWD_MS,
    questions: await questions(controller.url),
    maxTokens: CROWD_TOKENS,
    readDelayMs: READ_DELAY_MS,
    signal: AbortSignal.timeout(10 * CROWD_MS),
  });
  const [slowest = 0] = rates;
  const fastest = rates.at(-1) ?? 1;
  say(`crowd: ${right} right, ${wrong.length} wrong, ${left} left, ${failed.length} failed`);
  say(`crowd: slowest ${slowest.toFixed(1)}, fastest ${fastest.toFixed(1)} pieces a second`);
  const compared = `${CROWD_CLIENTS} clients for ${CROWD_MS / 1_000} s, ${READ_DELAY_MS} ms between reads, half of them leave; ${right + wrong.length} answers read to their end`;
  figures.push(
    figure({
      suite: 'api',
      name: 'answers of a crowd that are right',
      value: right / Math.max(1, right + wrong.length + failed.length),
      unit: 'share',
      aim: '>= 1',
      compared,
    }),
    figure({
      suite: 'api',
      name: 'slowest stream of a crowd against its fastest',
      value: slowest / fastest,
      unit: 'ratio of pieces per second',
      aim: null,
      compared,
    }),
  );
  return figures;
}

/** Puzzles of the demo model's kinds, each with what it answers when nobody else asks. */
async function questions(url: string): Promise<Question[]> {
  const asked = [
    "How many r's are in strawberry?",
    'What is 616 plus 72?',
    'Which is larger, 9.11 or 9.9?',
    'What is 38 plus 45?',
  ];
  const all: Question[] = [];
  for (const content of asked) {
    const messages = [{ role: 'user', content }];
    all.push({ messages, answer: await askAlone(url, messages, CROWD_TOKENS) });
  }
  return all;
}
