import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { candidates, dialled, isSameMachine, type LinkNode } from '../../../controller/links/candidates.ts';
import { MAX_PROBE_TARGETS } from '../../../protocol/limits.ts';
import { mac, NO_KEY, nic, port } from './macs.ts';

function lines(a: LinkNode, b: LinkNode): string[] {
  return candidates(a, b).map((pair) => `${pair.a.address} - ${pair.b.address}`);
}

describe('address pairs worth a try', () => {
  test('are of one subnet, or both link-local, the surest first', () => {
    const a = mac('a', [
      nic('lo0', 'loopback', ['127.0.0.1/8', '::1/128', 'fe80::1/64']),
      nic('en0', 'ethernet', ['169.254.1.1/16', 'fe80::a/64', '192.168.1.4/24', 'fd00::4/64']),
    ]);
    const b = mac('b', [
      nic('lo0', 'loopback', ['127.0.0.1/8', '::1/128', 'fe80::1/64']),
      nic('en7', 'ethernet', ['fd00::5/64', '169.254.2.2/16', '192.168.1.5/24', '10.0.0.5/24', 'fe80::b/64']),
    ]);
    assert.deepEqual(lines(a, b), [
      '192.168.1.4 - 192.168.1.5',
      'fe80::a%en0 - fe80::b%en7',
      'fd00::4 - fd00::5',
      '169.254.1.1 - 169.254.2.2',
    ]);
  });

  test('a link-local address is dialled with the zone of the one that dials', () => {
    const a = { address: 'fe80::a%en0', interface: 'en0', kind: 'ethernet' } as const;
    const b = { address: 'fe80::b%en7', interface: 'en7', kind: 'ethernet' } as const;
    assert.equal(dialled(a, b), 'fe80::b%en0');
    assert.equal(dialled(b, a), 'fe80::a%en7');
    assert.equal(dialled(a, { ...b, address: '192.168.1.5' }), '192.168.1.5');
  });

  test('a mask counts from both sides, and an address that stands alone has no neighbours', () => {
    const wide = mac('a', [nic('en0', 'ethernet', ['10.0.0.1/8'])]);
    const narrow = mac('b', [nic('en0', 'ethernet', ['10.0.5.1/24'])]);
    assert.deepEqual(lines(wide, narrow), []);
    const vpn = (name: string, address: string) => mac(name, [nic('utun4', 'vpn', [`${address}/32`])]);
    assert.deepEqual(lines(vpn('a', '100.64.0.1'), vpn('b', '100.64.0.2')), []);
  });

  test('interfaces that are off or without a cable are left out, and so is a cable against a network', () => {
    const a = mac('a', [
      nic('en0', 'ethernet', ['192.168.1.4/24'], { active: false }),
      nic('en1', 'wifi', ['192.168.1.5/24'], { up: false }),
      nic('en5', 'thunderbolt', ['fe80::5/64']),
    ]);
    const b = mac('b', [
      nic('en0', 'ethernet', ['192.168.1.7/24', 'fe80::7/64']),
      nic('en5', 'thunderbolt', ['fe80::8/64']),
    ]);
    assert.deepEqual(lines(a, b), ['fe80::5%en5 - fe80::8%en5']);
  });

  test('where the ports say who is at the other end, only that cable is tried', () => {
    const twoCables = (
      name: string,
      first: [number, number | undefined],
      second: [number, number | undefined],
    ) =>
      mac(
        name,
        [
          nic('en1', 'thunderbolt', [`fe80::${first[0]}/64`]),
          nic('en2', 'thunderbolt', [`fe80::${second[0]}/64`]),
        ],
        [port(...first, 'en1'), port(...second, 'en2')],
      );
    const a = twoCables('a', [11, 22], [12, 31]);
    const b = twoCables('b', [21, undefined], [22, 11]);
    assert.deepEqual(lines(a, b), ['fe80::11%en1 - fe80::22%en2']);
    const c = twoCables('c', [41, undefined], [42, undefined]);
    assert.deepEqual(lines(a, c), []);
  });

  test('one machine has its loopback, whatever else it has', () => {
    const interfaces = [nic('en0', 'ethernet', ['192.168.1.4/24'])];
    const near = [mac('a', interfaces, [], '127.0.0.1'), mac('b', interfaces, [], '127.0.0.1')] as const;
    assert.deepEqual(lines(...near), ['127.0.0.1 - 127.0.0.1']);
    assert.ok(isSameMachine(mac('a', interfaces), mac('b', interfaces)));
    assert.ok(!isSameMachine(mac('a', interfaces), mac('b', [nic('en0', 'ethernet', ['192.168.1.5/24'])])));
    const unknown = (id: string, host: string): LinkNode => ({
      ...{ id, name: id, fingerprint: NO_KEY },
      ...{ host, machine: null },
    });
    assert.ok(isSameMachine(unknown('a', '127.0.0.1'), unknown('b', 'localhost')));
    assert.ok(!isSameMachine(unknown('a', '127.0.0.1'), unknown('b', '192.168.1.5')));
    assert.deepEqual(lines(unknown('a', '127.0.0.1'), unknown('b', '192.168.1.5')), []);
  });

  test('there are never too many of them', () => {
    const many = (name: string, last: number) =>
      mac(
        name,
        Array.from({ length: 20 }, (_, i) => nic(`en${i}`, 'ethernet', [`fe80::${last}:${i}/64`])),
      );
    const found = candidates(many('a', 1), many('b', 2));
    assert.equal(found.length, MAX_PROBE_TARGETS);
  });
});
