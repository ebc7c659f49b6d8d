// What is known of pairs, by what nodes tell and measurements find, on a clock of our own.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { type Candidate, type LinkNode, sameNetwork } from '../../../controller/links/candidates.ts';
import type { Measured, TriedPath } from '../../../controller/links/measurement.ts';
import { type PairState, publicPair } from '../../../controller/links/pair-state.ts';
import { Pairs } from '../../../controller/links/pairs.ts';
import { LINKS_FRESH_MS } from '../../../protocol/limits.ts';
import { LinkPair } from '../../../protocol/links.ts';
import { figures, mac, NO_KEY, nic, port } from './macs.ts';

const lan = (last: number, rest = {}) => nic('en0', 'ethernet', [`192.168.1.${last}/24`], rest);
const cable = (last: number, rest = {}) => nic('en5', 'thunderbolt', [`fe80::${last}/64`], rest);
const a = (...rest: Parameters<typeof mac>[1]) => mac('a', [lan(1), ...rest]);
const b = (...rest: Parameters<typeof mac>[1]) => mac('b', [lan(2), ...rest]);
const AT = 1_800_000_000_000;

/** What a measurement finds when only these pairs of addresses work: `192.168.1.1 192.168.1.2`. */
function measured(
  pair: PairState,
  gbps: Record<string, number | [number | null, number | null]>,
  carriers: Record<string, [string, string]> = {},
): Measured {
  const tried = pair.candidates.map((candidate): TriedPath => {
    const key = keyOf(candidate);
    const found = gbps[key];
    const [there, back] = Array.isArray(found) ? found : [found ?? null, found ?? null];
    const [carrierA, carrierB] = carriers[key] ?? [candidate.a.interface, candidate.b.interface];
    const outcome = (value: number | null) => (value === null ? 'timed-out' : 'reached');
    const ends = { from: candidate.a.address, to: candidate.b.address, code: null } as const;
    return {
      candidate,
      tries: { a: { ...ends, outcome: outcome(there) }, b: { ...ends, outcome: outcome(back) } },
      figures: {
        a: there === null ? null : figures(there, 300, carrierA),
        b: back === null ? null : figures(back, 300, carrierB),
      },
    };
  });
  return { tried, notOffered: { a: [], b: [] } };
}

function keyOf({ a: from, b: to }: Candidate): string {
  return `${from.address} ${to.address}`;
}

const LAN = '192.168.1.1 192.168.1.2';
const CABLE = 'fe80::1%en5 fe80::2%en5';

describe('pairs', () => {
  let pairs: Pairs;
  const only = () => pairs.all[0] ?? assert.fail('there is no pair');
  const ways = () => pairs.hopPaths().map(({ from, to, dialAddress }) => `${from} ${to} ${dialAddress}`);
  const take = (...[result, now, at]: [Measured, number, number]) => {
    pairs.begin(only().key);
    pairs.take(only().key, result, now, at);
  };
  beforeEach(() => {
    pairs = new Pairs();
    pairs.update([a(cable(1)), b(cable(2))], 0);
  });

  test('a new pair is due at once, and pending until it was measured or could not be', () => {
    assert.deepEqual(
      pairs.due(0).map(({ key }) => key),
      ['id-a id-b'],
    );
    assert.ok(pairs.isPending);
    take(measured(only(), { [LAN]: 0.94, [CABLE]: 16 }), 0, AT);
    assert.ok(!pairs.isPending);
    assert.deepEqual(pairs.due(LINKS_FRESH_MS - 1), []);
    assert.equal(pairs.due(LINKS_FRESH_MS).length, 1);
    assert.deepEqual(LinkPair.parse(publicPair(only())).measuredAt, AT);

    const failing = new Pairs();
    failing.update([a(), b()], 0);
    failing.begin('id-a id-b');
    failing.fail('id-a id-b', 'nobody answered', 0);
    assert.ok(!failing.isPending);
    assert.deepEqual([failing.due(59_999).length, failing.due(60_000).length], [0, 1]);
  });

  test('a node that has not told of its machine keeps a plan waiting, one machine does not', () => {
    const silent = new Pairs();
    const node = (id: string, host: string): LinkNode => ({
      ...{ id, name: id, fingerprint: NO_KEY },
      ...{ host, machine: null },
    });
    silent.update([node('a', '10.0.0.1'), node('b', '10.0.0.2')], 0);
    assert.ok(silent.isPending);
    assert.deepEqual(silent.due(0), [], 'there is nothing to measure yet');
    const near = new Pairs();
    near.update([node('a', '127.0.0.1'), node('b', '127.0.0.1')], 0);
    assert.ok(!near.isPending);
    assert.equal(near.due(0).length, 1);
  });

  test('ways of hops lead both ways, the fastest path first, dialled with the zone of the sender', () => {
    take(measured(only(), { [LAN]: 0.94, [CABLE]: [16, null] }), 0, AT);
    assert.deepEqual(ways(), ['id-a id-b fe80::2%en5', 'id-a id-b 192.168.1.2', 'id-b id-a 192.168.1.1']);
    assert.deepEqual(
      only().misses.map(({ by, fromAddress, toAddress }) => [by, fromAddress, toAddress]),
      [['id-b', 'fe80::2%en5', 'fe80::1%en5']],
    );
  });

  test('a path whose interface lost its link is gone at once, and the others need no measurement', () => {
    take(measured(only(), { [LAN]: 0.94, [CABLE]: 16 }), 0, AT);
    pairs.update([a(cable(1)), b(cable(2, { active: false }))], 10);
    assert.deepEqual(ways(), ['id-a id-b 192.168.1.2', 'id-b id-a 192.168.1.1']);
    assert.deepEqual(
      only().gone.map(({ why }) => why),
      ['en5 of b has no link, or another address'],
    );
    assert.deepEqual(pairs.due(20), []);
    // plugged in again: measured again, and not gone any more
    pairs.update([a(cable(1)), b(cable(2))], 30);
    assert.equal(pairs.due(30).length, 1);
    take(measured(only(), { [LAN]: 0.94, [CABLE]: 16 }), 40, AT);
    assert.deepEqual(only().gone, []);
    assert.equal(ways().length, 4);
  });

  test('a path that is missed once is looked at again soon, and gone when it is missed twice', () => {
    take(measured(only(), { [LAN]: 0.94, [CABLE]: 16 }), 0, AT);
    take(measured(only(), { [LAN]: 0.94 }), 100, AT);
    assert.equal(ways().length, 4, 'one lost packet ends no hop');
    assert.equal(pairs.due(1_100).length, 1);
    take(measured(only(), { [LAN]: 0.94 }), 1_200, AT);
    assert.deepEqual(ways(), ['id-a id-b 192.168.1.2', 'id-b id-a 192.168.1.1']);
    assert.match(only().gone[0]?.why ?? '', /not reached any more/);

    // one direction alone is no different
    take(measured(only(), { [LAN]: [0.94, null] }), 2_000, AT);
    assert.equal(ways().length, 2);
    assert.equal(pairs.due(3_000).length, 1);
    take(measured(only(), { [LAN]: [0.94, null] }), 3_000, AT);
    assert.deepEqual(ways(), ['id-a id-b 192.168.1.2']);
  });

  test('two nodes that do not reach one another in two measurements have no link, until they do', () => {
    pairs = new Pairs();
    const [x, y] = [a(), b()].map((node, i) => ({ ...node, host: `192.168.1.${i + 1}` })) as [
      LinkNode,
      LinkNode,
    ];
    pairs.update([x, y], 0);
    take(measured(only(), { [LAN]: [0.94, null] }), 0, AT);
    assert.deepEqual([pairs.unlinked(), pairs.isPending], [[], true], 'it may have been a busy machine');
    assert.equal(pairs.due(1_000).length, 1);
    take(measured(only(), {}), 1_000, AT);
    assert.deepEqual([pairs.unlinked(), pairs.isPending], [[['id-a', 'id-b']], false]);
    take(measured(only(), {}), 2_000, AT);
    assert.deepEqual(
      [pairs.due(61_999).length, pairs.due(62_000).length],
      [0, 1],
      'it is tried every minute',
    );
    take(measured(only(), { [LAN]: 0.94 }), 62_000, AT);
    assert.deepEqual(pairs.unlinked(), []);
    // the only way goes away: that needs no measurement, and an address that is not there is not one to try
    pairs.update([x, { ...mac('b', [lan(2), cable(3)]), host: '192.168.1.2' }], 70_000);
    assert.deepEqual(pairs.unlinked(), []);
    pairs.update([x, { ...mac('b', [lan(9)]), host: '192.168.1.9' }], 80_000);
    assert.deepEqual([pairs.hopPaths(), pairs.unlinked()], [[], [['id-a', 'id-b']]]);
  });

  test('where the address by which the controller comes was not tried, nothing is known of the link', () => {
    for (const at of [0, 1_000]) take(measured(only(), {}), at, AT);
    assert.equal(only().a.host, '10.9.9.9');
    assert.deepEqual(pairs.unlinked(), []);
  });

  test('a path stays when its interfaces are measured by other addresses, as long as it is reached', () => {
    const both = (last: number) => nic('en5', 'thunderbolt', [`169.254.5.${last}/16`, `fe80::${last}/64`]);
    const [four, six] = ['169.254.5.1 169.254.5.2', CABLE];
    pairs.update([a(both(1)), b(both(2))], 0);
    take(measured(only(), { [four]: 16 }), 0, AT);
    assert.equal(pairs.targets(only())[0]?.a.address, '169.254.5.1', 'what worked is tried first');
    const found = measured(only(), { [four]: 16, [six]: 16 });
    for (const path of found.tried) if (keyOf(path.candidate) === four) path.figures = { a: null, b: null };
    take(found, 10, AT);
    assert.deepEqual(ways().length, 4);
    assert.deepEqual(pairs.due(10_000), []);
  });

  test('what changes during a measurement is measured after it; one that was given up is due at once', () => {
    const { key } = only();
    pairs.begin(key);
    assert.deepEqual(pairs.due(5), [], 'it is under way');
    const result = measured(only(), { [LAN]: 0.94 });
    pairs.update([a(cable(1), nic('en6', 'thunderbolt', ['fe80::66/64'])), b(cable(2))], 10);
    pairs.take(key, result, 20, AT);
    assert.equal(pairs.due(20).length, 1);
    pairs.begin(key);
    pairs.giveUp(key, 30);
    assert.equal(pairs.due(30).length, 1);
  });

  test('a cable that was set to another speed is measured again', () => {
    const set = (linkGbps: number) => [
      mac('a', [lan(1), cable(1)], [port(11, 21, 'en5', { linkGbps })]),
      mac('b', [lan(2), cable(2)], [port(21, 11, 'en5', { linkGbps })]),
    ];
    pairs.update(set(40), 0);
    take(measured(only(), { [LAN]: 0.94, [CABLE]: 16 }), 0, AT);
    pairs.update(set(40), 5);
    assert.deepEqual(pairs.due(5), []);
    pairs.update(set(20), 6);
    assert.equal(pairs.due(6).length, 1);
  });

  test('news of load and of Wi-Fi are no news of links', () => {
    const wifi = (linkGbps: number) => nic('en1', 'wifi', ['192.168.7.1/24'], { linkGbps });
    const machine = (...interfaces: Parameters<typeof mac>[1]) =>
      mac('a', interfaces).machine ?? assert.fail();
    const before = machine(lan(1), wifi(0.4));
    const load = { ...before.load, watts: 50 };
    assert.ok(sameNetwork(before, { ...machine(lan(1), wifi(0.9)), load }));
    assert.ok(!sameNetwork(before, machine(lan(1, { linkGbps: 2.5 }), wifi(0.4))));
    assert.ok(!sameNetwork(before, machine(lan(9), wifi(0.4))));
  });

  test('a node that is away takes its pairs along and brings them back', () => {
    take(measured(only(), { [LAN]: 0.94 }), 0, AT);
    pairs.update([a(cable(1))], 10);
    assert.deepEqual([pairs.all.length, ways().length], [0, 0]);
    pairs.update([a(cable(1)), b(cable(2))], 20);
    assert.equal(ways().length, 2);
    assert.deepEqual(pairs.due(20), []);
  });

  test('an address that answers on the wrong interface is no path of its own, unless it strays to Wi-Fi', () => {
    const wifi = (last: number) => nic('en1', 'wifi', [`192.168.1.${last}/24`]);
    pairs.update([a(wifi(11)), b()], 0);
    const [wire, stray] = [LAN, '192.168.1.11 192.168.1.2'];
    // what has Wi-Fi's address leaves by the wire
    pairs.take(
      only().key,
      measured(only(), { [wire]: 0.94, [stray]: 0.9 }, { [stray]: ['en0', 'en0'] }),
      0,
      AT,
    );
    assert.deepEqual(
      only().paths.map(({ from }) => from.interface),
      ['en0'],
    );
    // what has the wire's address leaves by Wi-Fi
    pairs.take(
      only().key,
      measured(only(), { [wire]: 0.4, [stray]: 0.3 }, { [wire]: ['en1', 'en0'] }),
      0,
      AT,
    );
    const [path] = only().paths;
    assert.deepEqual(
      [path?.from.interface, path?.there?.kind, path?.there?.carriedBy],
      ['en0', 'wifi', 'en1'],
    );
  });
});
