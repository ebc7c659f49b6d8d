import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bestHop, describeHop, type HopPath, hopUs, isAmong } from '../../../controller/links/hop-path.ts';

function way(from: string, to: string, name: string, gbps: number, rttP50Us: number): HopPath {
  return {
    ...{ from, to, kind: 'ethernet', fromInterface: name, toInterface: name },
    ...{ localAddress: `${from}-${name}`, dialAddress: `${to}-${name}`, listenAddress: `${to}-${name}` },
    figures: {
      ...{ rttP50Us, rttP99Us: rttP50Us, smallRttP50Us: rttP50Us, smallRttP99Us: rttP50Us },
      ...{ gbps, carriedBy: null, kind: 'ethernet' },
    },
  };
}

test('the best way is the one that is soonest through, in its own direction', () => {
  const paths = [
    way('a', 'b', 'wifi', 0.4, 6_000),
    way('a', 'b', 'lan', 0.94, 300),
    way('a', 'b', 'cable', 16, 700),
    way('b', 'a', 'lan', 0.94, 300),
  ];
  assert.equal(bestHop(paths, 'a', 'b')?.fromInterface, 'cable');
  assert.equal(bestHop(paths, 'b', 'a')?.fromInterface, 'lan');
  assert.equal(bestHop(paths, 'a', 'c'), undefined);
  // 63 more tokens of 14,336 bytes at 1 Gb/s take 7.2 ms
  assert.equal(Math.round(hopUs({ ...way('a', 'b', 'x', 1, 200).figures })), 100 + 7_225);
  assert.equal(hopUs(way('a', 'b', 'x', 0, 200).figures), Number.POSITIVE_INFINITY);
});

test('a way is the same as long as its addresses are, whatever it was measured to be', () => {
  const lan = way('a', 'b', 'lan', 0.94, 300);
  assert.ok(isAmong([way('a', 'b', 'lan', 0.5, 900)], lan));
  assert.ok(!isAmong([{ ...lan, listenAddress: 'elsewhere' }, way('b', 'a', 'lan', 1, 1)], lan));
  assert.equal(describeHop(lan), 'a-lan (lan) → b-lan (lan), ethernet');
});
