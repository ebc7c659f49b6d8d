// How many nodes are paired at most, and who is let in nonetheless.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodePins } from '../../../controller/trust/node-pins.ts';
import { writeOwnFile } from '../../../protocol/home-files.ts';
import { Fingerprint } from '../../../protocol/identity.ts';
import { MAX_PAIRED_NODES } from '../../../protocol/limits.ts';
import { tempHome } from '../../support/temp-home.ts';

test('a full list takes nobody new, and one of its own again', () => {
  const home = tempHome();
  const pin = (number: number) => ({
    fingerprint: Fingerprint.parse(number.toString(16).padStart(16, '0').padEnd(64, '0')),
    name: `node-${number}`,
    pairedAt: '2026-11-22T00:00:00.000Z',
  });
  const all = Array.from({ length: MAX_PAIRED_NODES }, (_, i) => pin(i));
  writeOwnFile(`${home}/nodes.json`, JSON.stringify(all));
  const pins = NodePins.open(home);
  assert.throws(() => pins.add(pin(MAX_PAIRED_NODES)), { code: 'pairing_failed', message: /unpair some/ });
  pins.add({ ...pin(7), name: 'set up anew' });
  assert.equal(pins.find('set up anew')?.fingerprint, pin(7).fingerprint);
  assert.equal(NodePins.open(home).all.length, MAX_PAIRED_NODES);
});
