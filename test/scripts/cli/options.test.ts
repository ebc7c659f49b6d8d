import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidArgumentError } from 'commander';
import {
  parseIntervalMs,
  parseNodeCount,
  parsePin,
  parsePort,
  parseStepCount,
  parseTemperature,
  parseTokenCount,
} from '../../../scripts/cli/options.ts';

const parsers: [name: string, parse: (text: string) => number, good: [string, number][], bad: string[]][] = [
  [
    'port',
    parsePort,
    [
      ['0', 0],
      ['7117', 7117],
      ['65535', 65535],
    ],
    ['65536', '-1', '1.5', '', '7117x', '1e3'],
  ],
  [
    'nodes',
    parseNodeCount,
    [
      ['1', 1],
      ['64', 64],
    ],
    ['0', '65', 'three', ' 3'],
  ],
  [
    'tokens',
    parseTokenCount,
    [
      ['1', 1],
      ['32768', 32768],
    ],
    ['0', '-5', 'many'],
  ],
  [
    'steps',
    parseStepCount,
    [
      ['1', 1],
      ['512', 512],
    ],
    ['0', '513', 'all'],
  ],
  [
    'interval',
    parseIntervalMs,
    [
      ['0.1', 100],
      ['2', 2000],
    ],
    ['0', '-1', 'soon', '', '4000'],
  ],
  [
    'temperature',
    parseTemperature,
    [
      ['0', 0],
      ['0.6', 0.6],
      ['2', 2],
    ],
    ['2.1', '-0.1', 'hot', ''],
  ],
];

for (const [name, parse, good, bad] of parsers) {
  test(`${name}: the edges are in, what lies beyond is a usage error that names the limits`, () => {
    for (const [text, value] of good) assert.equal(parse(text), value);
    for (const text of bad) {
      assert.throws(
        () => parse(text),
        (error: unknown) => error instanceof InvalidArgumentError && /^It takes /.test(error.message),
        text,
      );
    }
  });
}

test('a pin: a field that clients know and a number that the engine takes', () => {
  assert.deepEqual(parsePin('temperature=0.6'), { temperature: 0.6 });
  assert.deepEqual(parsePin('top_k=40'), { topK: 40 });
  for (const text of ['heat=1', 'temperature', 'temperature=', 'temperature=hot', 'top_p=0', 'top_k=1.5']) {
    assert.throws(() => parsePin(text), InvalidArgumentError, text);
  }
});
