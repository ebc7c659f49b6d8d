import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HopPath } from '../../../controller/links/hop-path.ts';
import { measuredLinks } from '../../../controller/links/measured-links.ts';
import type { InterfaceKind } from '../../../protocol/facts.ts';

function way(from: string, to: string, kind: InterfaceKind, gbps: number, smallRttP50Us: number): HopPath {
  return {
    ...{ from, to, kind, fromInterface: `${kind}-of-${from}`, toInterface: `${kind}-of-${to}` },
    ...{ localAddress: `${from} ${kind}`, dialAddress: 'x', listenAddress: `${to} ${kind}` },
    figures: {
      ...{ rttP50Us: 2 * smallRttP50Us, rttP99Us: 1, smallRttP50Us, smallRttP99Us: 1 },
      ...{ gbps, carriedBy: null, kind },
    },
  };
}

test('a link is the way that hops take, as slow as its slower direction; one that works one way only is none', () => {
  const links = measuredLinks([
    way('a', 'b', 'thunderbolt-bridge', 16, 400),
    way('b', 'a', 'thunderbolt-bridge', 12, 500),
    way('a', 'b', 'wifi', 0.5, 6_000),
    way('b', 'a', 'wifi', 0.6, 5_000),
    way('b', 'c', 'ethernet', 0.94, 200),
    way('a', 'c', 'ethernet', 0, 200),
    way('c', 'a', 'ethernet', 0.94, 200),
  ]);
  const measured = { source: 'measured' } as const;
  assert.deepEqual(links, [
    {
      between: ['a', 'b'],
      link: {
        ...{ kind: 'thunderbolt', label: 'thunderbolt-bridge-of-a', linkGbps: 12, roundTripMs: 0.5 },
        ...measured,
      },
    },
  ]);
});
