// The differential test of macOS's Local Network privacy: its verdict for each mixture of outcomes, and real sockets.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import {
  parseArp,
  reachVerdict,
  type TryOutcome,
  tryAddress,
  whomToTry,
} from '../../../agent/checks/local-network.ts';
import type { MachineFacts } from '../../../protocol/facts.ts';
import { mac, nic } from '../../controller/links/macs.ts';

describe('the verdict', () => {
  const cases: [neighbours: TryOutcome[], gateway: TryOutcome | null, state: string][] = [
    [['refused'], 'silent', 'allowed'],
    [['unreachable', 'connected'], 'refused', 'allowed'],
    [['unreachable', 'unreachable'], 'refused', 'denied'],
    [['unreachable'], 'silent', 'denied'],
    // the network itself is gone
    [['unreachable'], 'unreachable', 'unknown'],
    [['unreachable'], null, 'unknown'],
    // asleep, or behind a firewall that drops
    [['unreachable', 'silent'], 'refused', 'unknown'],
    [['silent'], 'refused', 'unknown'],
    [[], 'refused', 'unknown'],
  ];
  for (const [neighbours, gateway, state] of cases) {
    test(`${neighbours.join(' ') || 'nobody'}, the gateway ${gateway}: ${state}`, () => {
      assert.equal(reachVerdict(neighbours, gateway).state, state);
    });
  }
});

const ARP = `? (192.168.1.1) at a4:43:1:e6:5:96 on en0 ifscope [ethernet]
? (192.168.1.12) at 60:2d:34:41:71:82 on en0 ifscope [ethernet]
? (192.168.1.13) at 60:2d:34:41:71:83 on en0 ifscope [ethernet]
? (192.168.1.14) at (incomplete) on en0 ifscope [ethernet]
? (192.168.1.21) at 80:d5:38:d0:34:ba on en1 ifscope [ethernet]
? (192.168.1.255) at ff:ff:ff:ff:ff:ff on en0 ifscope [ethernet]
? (224.0.0.251) at 1:0:5e:0:0:fb on en0 ifscope permanent [ethernet]
`;

test('whom to try: those that the network has heard of, each interface first, never the gateway', () => {
  const machine = mac('a', [nic('en0', 'ethernet', ['192.168.1.13/24'])]).machine as MachineFacts;
  const route = { family: 'IPv4' as const, destination: 'default', gateway: '192.168.1.1', interface: 'en0' };
  const { neighbours, gateway } = whomToTry(parseArp(ARP), {
    ...machine,
    routes: [{ ...route, isScoped: false }],
  });
  assert.deepEqual(neighbours, ['192.168.1.12', '192.168.1.21']);
  assert.equal(gateway, '192.168.1.1');
});

test('real sockets: one that answers, one that refuses', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  assert.equal(await tryAddress('127.0.0.1', port), 'connected');
  await new Promise((resolve) => server.close(resolve));
  assert.equal(await tryAddress('127.0.0.1', port), 'refused');
});
