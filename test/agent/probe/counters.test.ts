import assert from 'node:assert/strict';
import { test } from 'node:test';
import { carrierOf, parseProcNetDev } from '../../../agent/probe/counters.ts';

const PROC = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1138912    8432    0    0    0     0          0         0  1138912    8432    0    0    0     0       0          0
thunderbolt0:17 1 0 0 0 0 0 0 67109999 44 0 0 0 0 0 0
  eth0: 90 3
`;

test('sent bytes of each interface, as the kernel writes them', () => {
  assert.deepEqual(
    [...parseProcNetDev(PROC)],
    [
      ['lo', 1138912],
      ['thunderbolt0', 67109999],
    ],
  );
  assert.equal(parseProcNetDev('').size, 0);
});

test('the carrier is the expected interface where it sent enough, else who sent most', () => {
  const before = new Map([
    ['en0', 1_000],
    ['en1', 5_000],
  ]);
  const after = (en0: number, en1: number) =>
    new Map([
      ['en0', 1_000 + en0],
      ['en1', 5_000 + en1],
      ['en9', 9_999_999],
    ]);
  assert.equal(carrierOf(before, after(1_050_000, 80_000), 1_000_000, 'en0'), 'en0');
  // both carry much: a bridge counts what its member sends
  assert.equal(carrierOf(before, after(1_050_000, 1_060_000), 1_000_000, 'en0'), 'en0');
  assert.equal(carrierOf(before, after(20_000, 1_050_000), 1_000_000, 'en0'), 'en1');
  assert.equal(carrierOf(before, after(20_000, 30_000), 1_000_000, 'en0'), null);
  assert.equal(carrierOf(new Map(), new Map(), 1_000_000, 'en0'), null);
  assert.equal(carrierOf(before, after(0, 0), 0, 'en0'), null);
});
