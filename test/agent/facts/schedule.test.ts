// When facts are asked for again, by a transcript on a clock of our own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Asked,
  askedNow,
  dueDepth,
  type Moment,
  NOTHING_ASKED,
  networkSigns,
} from '../../../agent/facts/schedule.ts';

const SECOND = 1_000;

/** Looks every 2 s for `seconds`, and tells what was asked for when. */
function transcript(seconds: number, at: (second: number) => Partial<Moment>): string[] {
  let asked: Asked = NOTHING_ASKED;
  const told: string[] = [];
  for (let second = 0; second <= seconds; second += 2) {
    const moment = { now: second * SECOND, names: 'en0 lo0', addresses: 'a', isHeard: false, ...at(second) };
    const depth = dueDepth(asked, moment);
    if (depth === undefined) continue;
    asked = askedNow(asked, depth, moment);
    told.push(`${second} ${depth}`);
  }
  return told;
}

test('alone: everything at first, links twice a minute, everything again after ten minutes', () => {
  const told = transcript(640, () => ({}));
  assert.deepEqual(told.slice(0, 3), ['0 all', '30 links', '60 links']);
  assert.deepEqual(told.slice(-3), ['570 links', '600 all', '630 links']);
});

test('with a controller the load is told every ten seconds, and links bring it, too', () => {
  assert.deepEqual(
    transcript(40, () => ({ isHeard: true })),
    ['0 all', '10 load', '20 load', '30 links', '40 load'],
  );
});

test('a new interface asks for everything at once, a new address for the links', () => {
  const told = transcript(12, (second) => ({
    names: second >= 4 ? 'en0 en5 lo0' : 'en0 lo0',
    addresses: second >= 8 ? 'b' : 'a',
  }));
  assert.deepEqual(told, ['0 all', '4 all', '8 links']);
});

test("Node's look at the network: the order says nothing, addresses do", () => {
  const entry = (cidr: string) => ({
    address: '',
    netmask: '',
    family: 'IPv4' as const,
    mac: '',
    internal: false,
    cidr,
  });
  const signs = networkSigns({ en1: [entry('10.0.0.1/8')], en0: [entry('10.0.0.2/8'), entry('10.0.0.3/8')] });
  assert.deepEqual(
    networkSigns({ en0: [entry('10.0.0.3/8'), entry('10.0.0.2/8')], en1: [entry('10.0.0.1/8')] }),
    signs,
  );
  const other = networkSigns({ en0: [entry('10.0.0.3/8')], en1: [entry('10.0.0.1/8')] });
  assert.equal(other.names, signs.names);
  assert.notEqual(other.addresses, signs.addresses);
});
