// Findings from the facts of Macs and from what was measured between them: the words and the fixes that people read.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LinkNode } from '../../../controller/links/candidates.ts';
import { findings } from '../../../controller/links/findings.ts';
import { bestHop } from '../../../controller/links/hop-path.ts';
import type { Measured, TriedPath } from '../../../controller/links/measurement.ts';
import { Pairs } from '../../../controller/links/pairs.ts';
import type { LinkFinding } from '../../../protocol/links.ts';
import type { ProbeOutcome, ProbeTry } from '../../../protocol/probe.ts';
import { figures, mac, nic, port } from './macs.ts';

type Found = number | { there?: number; back?: number; by?: string };

interface Scene {
  nodes: LinkNode[];
  /** by the names of the interfaces, `a en5 b en5`: Gb/s */
  works?: Record<string, Found>;
  outcome?: ProbeOutcome;
  code?: string;
  notOffered?: Measured['notOffered'];
}

/** All pairs, measured to be so. */
function measure({ nodes, works = {}, outcome = 'timed-out', code, notOffered }: Scene): Pairs {
  const pairs = new Pairs();
  pairs.update(nodes, 0);
  for (const pair of pairs.all) {
    const tried = pair.candidates.map((candidate): TriedPath => {
      const { a, b } = candidate;
      const found = works[`${pair.a.name} ${a.interface} ${pair.b.name} ${b.interface}`];
      const { there, back, by } = typeof found === 'object' ? found : { there: found, back: found };
      const result = (gbps: number | undefined): ProbeTry => {
        const ends = { from: a.address, to: b.address };
        if (gbps !== undefined) return { ...ends, outcome: 'reached', code: null };
        return { ...ends, outcome, code: code ?? null };
      };
      return {
        candidate,
        tries: { a: result(there), b: result(back) },
        figures: {
          a: there === undefined ? null : figures(there, 300, by ?? a.interface),
          b: back === undefined ? null : figures(back, 300, b.interface),
        },
      };
    });
    pairs.begin(pair.key);
    pairs.take(pair.key, { tried, notOffered: notOffered ?? { a: [], b: [] } }, 0, 1);
  }
  return pairs;
}

function look(scene: Scene): LinkFinding[] {
  return findings({ nodes: scene.nodes, pairs: measure(scene).all, hops: [] });
}

function kinds(found: readonly LinkFinding[]): string[] {
  return found.map(({ severity, id }) => `${severity} ${id.split(' ')[0]}`);
}

const lan = (last: number, rest = {}) => nic('en0', 'ethernet', [`192.168.1.${last}/24`], rest);
const wifi = (last: number) => nic('en1', 'wifi', [`192.168.7.${last}/24`]);
const cable = (last: number, cidrs = [`fe80::${last}/64`]) => nic('en5', 'thunderbolt', cidrs);

describe('findings', () => {
  test('nothing to mend is nothing to say', () => {
    const nodes = [
      mac('a', [lan(1), cable(1)], [port(11, 21, 'en5')]),
      mac('b', [lan(2), cable(2)], [port(21, 11, 'en5')]),
    ];
    assert.deepEqual(look({ nodes, works: { 'a en0 b en0': 0.94, 'a en5 b en5': 16 } }), []);
  });

  test('a Thunderbolt cable that carries nothing, because one end has no address', () => {
    const nodes = [
      mac('a', [lan(1), cable(1)], [port(11, 21, 'en5')]),
      mac('b', [lan(2), cable(2, [])], [port(21, 11, 'en5')]),
    ];
    const [finding, ...others] = look({ nodes, works: { 'a en0 b en0': 0.94 } });
    assert.deepEqual(others, []);
    assert.match(
      finding?.text ?? '',
      /between a \(Thunderbolt 1\) and b \(Thunderbolt 1\) carries nothing: b has no address on it/,
    );
    assert.match(finding?.fix ?? '', /^On b: .*Thunderbolt 1, Configure IPv6: Automatically/);
  });

  test('a Thunderbolt cable whose addresses do not reach one another, and one that a bridge carries', () => {
    const nodes = [
      mac('a', [lan(1), cable(1)], [port(11, 21, 'en5')]),
      mac('b', [lan(2), cable(2)], [port(21, 11, 'en5')]),
    ];
    const [finding] = look({ nodes, works: { 'a en0 b en0': 0.94 } });
    assert.match(finding?.text ?? '', /its addresses do not reach one another/);
    const bridged = (name: string, last: number, own: number, peer: number) => {
      const bridge = nic('bridge0', 'thunderbolt-bridge', [`169.254.3.${last}/16`], { members: ['en5'] });
      return mac(name, [lan(last), cable(last, []), bridge], [port(own, peer, 'en5')]);
    };
    const works = { 'a en0 b en0': 0.94, 'a bridge0 b bridge0': 16 };
    assert.deepEqual(look({ nodes: [bridged('a', 1, 11, 21), bridged('b', 2, 21, 11)], works }), []);
  });

  test('a 20 Gb/s cable between 80 Gb/s ports', () => {
    const end = (name: string, last: number, own: number, peer: number, maxGbps: number) =>
      mac(
        name,
        [cable(last)],
        [port(own, peer, 'en5', { linkGbps: 20 }), port(own + 1, undefined, 'en6', { maxGbps })],
      );
    const works = { 'a en5 b en5': 8 };
    const [finding] = look({ nodes: [end('a', 1, 11, 21, 120), end('b', 2, 21, 11, 120)], works });
    assert.match(finding?.text ?? '', /runs at 20 Gb\/s, and both Macs have ports for 80/);
    assert.match(finding?.fix ?? '', /marked for 80 Gb\/s \(Thunderbolt 5\)/);
    // one end can do no more
    assert.deepEqual(look({ nodes: [end('a', 1, 11, 21, 120), end('b', 2, 21, 11, 20)], works }), []);
  });

  test('Wi-Fi where both have a wire, and where nobody has', () => {
    const wired = [mac('a', [lan(1), wifi(1)]), mac('b', [nic('en0', 'ethernet', ['10.0.0.2/24']), wifi(2)])];
    const [with_] = look({ nodes: wired, works: { 'a en1 b en1': 0.3 } });
    assert.match(with_?.text ?? '', /best over Wi-Fi \(0\.3 Gb\/s\), though both have a wire \(en0, en0\)/);
    const [without] = look({
      nodes: [mac('a', [wifi(1)]), mac('b', [wifi(2)])],
      works: { 'a en1 b en1': 0.3 },
    });
    assert.doesNotMatch(without?.text ?? '', /though/);
    assert.match(without?.fix ?? '', /Thunderbolt cable, or connect both to one switch/);
  });

  test('a wire whose packets leave by Wi-Fi', () => {
    const nodes = [mac('a', [lan(1), nic('en1', 'wifi', ['192.168.1.11/24'])]), mac('b', [lan(2)])];
    const found = look({ nodes, works: { 'a en0 b en0': { there: 0.3, back: 0.9, by: 'en1' } } });
    const stray = found.find(({ id }) => id.startsWith('strayed')) ?? assert.fail(kinds(found).join());
    assert.match(
      stray.text,
      /what a sends from its address 192\.168\.1\.1 \(en0, ethernet\) to b leaves by en1 \(wifi\)/,
    );
    assert.match(stray.fix, /Set Service Order, and put en0 above en1/);
  });

  test('two interfaces in 169.254/16, harmless only where IPv6 works on both', () => {
    const middle = (...second: string[]) =>
      mac('b', [
        nic('en5', 'thunderbolt', ['169.254.1.2/16', 'fe80::25/64']),
        nic('en6', 'thunderbolt', ['169.254.2.2/16', ...second]),
      ]);
    const ends = [mac('a', [cable(1)]), mac('c', [cable(3)])];
    const solved = look({
      nodes: [...ends, middle('fe80::26/64')],
      works: { 'a en5 b en5': 16, 'b en6 c en5': 16, 'a en5 c en5': 1 },
    });
    assert.deepEqual(kinds(solved), ['info shared-link-local']);
    assert.match(solved[0]?.text ?? '', /b has IPv4 addresses in 169\.254\/16 on en5 and en6/);
    const open = look({ nodes: [...ends, middle()], works: { 'a en5 b en5': 16, 'a en5 c en5': 1 } });
    assert.ok(kinds(open).includes('warn shared-link-local'), kinds(open).join());
  });

  test('one direction only is a firewall on the side that is not reached', () => {
    const nodes = [mac('a', [lan(1)]), mac('b', [lan(2)])];
    const [finding, ...others] = look({ nodes, works: { 'a en0 b en0': { there: 0.94 } } });
    assert.deepEqual(others, []);
    assert.match(finding?.text ?? '', /^a reaches b, but b does not reach a: of 1 tries 1 timed-out/);
    assert.match(finding?.fix ?? '', /^On a, allow incoming connections/);
  });

  test('EHOSTUNREACH for everything of the own subnets is the Local Network privacy, and said once', () => {
    const nodes = [mac('a', [lan(1)]), mac('b', [lan(2)]), mac('c', [lan(3)])];
    const works = { 'a en0 b en0': { back: 0.9 }, 'a en0 c en0': { back: 0.9 }, 'b en0 c en0': 0.9 };
    const found = look({ nodes, works, outcome: 'no-route', code: 'EHOSTUNREACH' });
    assert.deepEqual(kinds(found), ['error local-network']);
    assert.match(found[0]?.fix ?? '', /^On a: System Settings → Privacy & Security → Local Network/);
  });

  test('a pair without any path, with what was tried', () => {
    const [tried] = look({ nodes: [mac('a', [lan(1)]), mac('b', [lan(2)])], outcome: 'refused' });
    assert.match(tried?.text ?? '', /^a and b do not reach one another: of 2 tries 2 refused/);
    const apart = new Pairs();
    const nodes = [mac('a', [lan(1)]), mac('b', [nic('en0', 'ethernet', ['10.0.0.2/24'])])];
    apart.update(nodes, 0);
    const [untried] = findings({ nodes, pairs: apart.all, hops: [] });
    assert.match(untried?.text ?? '', /have no addresses of one network/);
  });

  test('a path that went away stays a finding until it is back', () => {
    const nodes = [mac('a', [lan(1), cable(1)]), mac('b', [lan(2), cable(2)])];
    const pairs = measure({ nodes, works: { 'a en0 b en0': 0.94, 'a en5 b en5': 16 } });
    const unplugged = [mac('a', [lan(1)]), nodes[1] as LinkNode];
    pairs.update(unplugged, 10);
    const [finding] = findings({ nodes: unplugged, pairs: pairs.all, hops: [] });
    assert.match(
      finding?.text ?? '',
      /the thunderbolt path between a \(en5\) and b \(en5\) went away: en5 of a/,
    );
  });

  test('links that carry far less than they were set to are one finding', () => {
    const nodes = ['a', 'b', 'c'].map((name, i) => mac(name, [lan(i + 1, { linkGbps: 10 })]));
    const works = { 'a en0 b en0': 0.94, 'a en0 c en0': 9.4, 'b en0 c en0': 0.9 };
    const [finding, ...others] = look({ nodes, works });
    assert.deepEqual(others, []);
    assert.match(finding?.text ?? '', /between b \(en0\) and c \(en0\) 0\.9 of 10 Gb\/s; between a .*$/);
  });

  test('a hop that takes a slower way than there is now', () => {
    const nodes = [mac('a', [lan(1), cable(1)]), mac('b', [lan(2), cable(2)])];
    const before = measure({ nodes, works: { 'a en0 b en0': 0.94 } });
    const hop = bestHop(before.hopPaths(), 'id-a', 'id-b') ?? assert.fail('there is no way');
    const now = measure({ nodes, works: { 'a en0 b en0': 0.94, 'a en5 b en5': 16 } });
    const [finding] = findings({ nodes, pairs: now.all, hops: [hop] });
    assert.match(
      finding?.text ?? '',
      /the hop from a to b takes en0 \(0\.9 Gb\/s\); en5 is faster now \(16\.0 Gb\/s\)/,
    );
  });

  test('an agent that listens on one address is told apart from one that is not reached', () => {
    const nodes = [mac('a', [lan(1), cable(1)], [], '192.168.1.1'), mac('b', [lan(2), cable(2)])];
    const works = { 'a en0 b en0': 0.94 };
    const found = look({ nodes, works, notOffered: { a: ['fe80::1%en5'], b: [] } });
    const finding = found.find(({ id }) => id.startsWith('listens')) ?? assert.fail(kinds(found).join());
    assert.match(finding.text, /the agent on a listens on 192\.168\.1\.1 only: hops cannot use fe80::1%en5/);
    assert.match(finding.fix, /--host 0\.0\.0\.0/);
  });
});
