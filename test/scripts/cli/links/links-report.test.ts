// What people read of the links.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LinkEnd, LinkFigures, LinkPair, LinksReport } from '../../../../protocol/links.ts';
import { linksReport } from '../../../../scripts/cli/links/links-report.ts';

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);
const EMPTY: LinksReport = { at: AT, measuring: null, waiting: 0, blocked: null, pairs: [], findings: [] };

function figures(gbps: number, rttP50Us: number, kind: LinkFigures['kind']): LinkFigures {
  const small = { smallRttP50Us: rttP50Us / 2, smallRttP99Us: rttP50Us };
  return { rttP50Us, rttP99Us: rttP50Us * 3, ...small, gbps, carriedBy: null, kind };
}

const end = (address: string, name: string, kind: LinkEnd['kind']): LinkEnd => ({
  address,
  interface: name,
  kind,
});

function pair(a: string, b: string, rest: Partial<LinkPair>): LinkPair {
  return {
    ...{ a: { id: a, name: a }, b: { id: b, name: b }, isSameMachine: false },
    ...{ measuredAt: AT, failure: null, paths: [], misses: [], ...rest },
  };
}

test('pairs with their paths, the fastest first, and what could not be measured', () => {
  const text = linksReport({
    ...EMPTY,
    pairs: [
      pair('studio-10', 'studio-2', { measuredAt: null }),
      pair('studio-1', 'studio-2', {
        paths: [
          {
            from: end('fe80::1%en5', 'en5', 'thunderbolt'),
            to: end('fe80::2%en3', 'en3', 'thunderbolt'),
            there: figures(16.42, 412, 'thunderbolt'),
            back: figures(15.9, 420, 'thunderbolt'),
            measuredAt: AT,
          },
          {
            from: end('192.168.1.1', 'en0', 'ethernet'),
            to: end('192.168.1.2', 'en0', 'ethernet'),
            there: null,
            back: figures(0.941, 6_200, 'ethernet'),
            measuredAt: AT,
          },
        ],
      }),
      pair('studio-1', 'studio-10', { failure: 'studio-10 did not answer' }),
      pair('studio-2', 'studio-3', {}),
    ],
  });
  const clock = /\d\d:\d\d:\d\d/.exec(text)?.[0] ?? '';
  assert.deepEqual(
    text
      .split('\n\n')[0]
      ?.split('\n')
      .map((line) => line.replaceAll(clock, 'now')),
    [
      'from       to         by                                          Gb/s there  back  round trip       p99  measured',
      'studio-1   studio-2   thunderbolt en5 fe80::1 – en3 fe80::2             16.4  15.9     0.41 ms   1.24 ms  now',
      '                      ethernet en0 192.168.1.1 – en0 192.168.1.2           –  0.94     6.20 ms  18.60 ms  now',
      'studio-1   studio-10  studio-10 did not answer',
      'studio-2   studio-3   no path',
      'studio-10  studio-2   not measured yet',
    ],
  );
  assert.match(text, /14 KiB, the hidden state of one token of R1/);
  assert.match(text, /Nothing to mend was found\.$/);
});

test('findings come with their fixes, and what is still to be measured with the reason', () => {
  const text = linksReport({
    ...EMPTY,
    pairs: [pair('a', 'b', {})],
    waiting: 2,
    blocked: 'a request runs',
    findings: [
      { id: '1', severity: 'warn', text: 'the cable carries nothing', fix: 'Plug it in again.' },
      { id: '2', severity: 'info', text: 'two interfaces\u001b[2J', fix: 'Nothing needs to be done.' },
    ],
  });
  assert.match(text, /2 pairs to be measured, when nothing is in the way: a request runs\./);
  assert.match(text, /! the cable carries nothing\n {2}→ Plug it in again\.\ni two interfaces/);
  assert.ok(!text.includes('\u001b'), 'no control character of somebody else gets to the terminal');
  assert.match(linksReport(EMPTY), /^No two nodes are connected/);
});
