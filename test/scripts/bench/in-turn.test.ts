import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inTurn } from '../../../scripts/bench/in-turn.ts';

test('both ways take turns on the same inputs, each first as often as the other, and the median of the ratios is told', async () => {
  const log: string[] = [];
  let given = 0;
  const seconds = [30, 10, 20];
  const comparison = await inTurn(
    3,
    () => ++given,
    [
      async (input) => {
        log.push(`first ${input}`);
        return 10;
      },
      async (input) => {
        log.push(`second ${input}`);
        return seconds[input - 1] as number;
      },
    ],
    (first, second, round) => log.push(`round ${round}: ${first} and ${second}`),
  );
  assert.deepEqual(comparison, { ratio: 2, rounds: 3 });
  assert.deepEqual(log, [
    'first 1',
    'second 1',
    'round 1: 10 and 30',
    'second 2',
    'first 2',
    'round 2: 10 and 10',
    'first 3',
    'second 3',
    'round 3: 10 and 20',
  ]);
});
