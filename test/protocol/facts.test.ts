// A node's facts come from another machine: what is too long, too much or no text at all is not taken.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsOfMac } from '../../agent/facts/mac/assemble.ts';
import { ControlEvent } from '../../protocol/control.ts';
import { MachineFacts, sameFacts } from '../../protocol/facts.ts';
import { studioAnswers } from '../agent/facts/support.ts';

const facts = factsOfMac(studioAnswers(), null);

test('facts with more or longer entries than the limits are refused', () => {
  const [entry] = facts.interfaces;
  const [port] = facts.thunderboltPorts;
  assert.ok(entry && port);
  const hostile: unknown[] = [
    { ...facts, chip: 'x'.repeat(101) },
    { ...facts, chip: 'Apple\u001b[2J' },
    { ...facts, chip: '\ud800' },
    { ...facts, memoryBytes: -1 },
    { ...facts, memoryBytes: 1e300 },
    { ...facts, interfaces: new Array(65).fill(entry) },
    { ...facts, interfaces: [{ ...entry, name: '../etc' }] },
    { ...facts, interfaces: [{ ...entry, addresses: new Array(17).fill(entry.addresses[0]) }] },
    { ...facts, interfaces: [{ ...entry, addresses: [{ ...entry.addresses[0], address: 'example.org' }] }] },
    { ...facts, thunderboltPorts: new Array(17).fill(port) },
    { ...facts, notes: new Array(49).fill({ source: 's', text: 't' }) },
    { ...facts, notes: [{ source: 's', text: 't'.repeat(301) }] },
    { ...facts, load: { ...facts.load, gpuUseShare: 95 } },
  ];
  assert.ok(MachineFacts.safeParse(facts).success);
  for (const [index, record] of hostile.entries())
    assert.equal(MachineFacts.safeParse(record).success, false, String(index));
});

test('facts that cannot be read cost no node its place: the hello counts without them', () => {
  const node = {
    id: '0123456789abcdef',
    name: 'studio-1',
    bootId: 'b',
    pid: 1,
    platform: 'darwin',
    arch: 'arm64',
    chip: 'c',
    cores: 1,
    memoryBytes: 1,
    espalierVersion: '0',
  };
  const hello = (sent: unknown) => {
    const event = ControlEvent.parse(
      JSON.parse(JSON.stringify({ kind: 'hello', protocol: 1, node, stage: null, facts: sent })),
    );
    return event.kind === 'hello' ? event.facts : undefined;
  };
  assert.deepEqual(hello(facts), facts);
  assert.equal(hello({ ...facts, chip: 7 }), null);
  assert.equal(hello(null), null);
  assert.equal(hello(undefined), undefined);
  assert.deepEqual(ControlEvent.parse({ kind: 'load', load: 'much' }), { kind: 'load', load: null });
});

test('load is no news', () => {
  const busier = { ...facts, load: { ...facts.load, gpuUseShare: 0.1 } };
  assert.equal(sameFacts(facts, busier), true);
  assert.equal(sameFacts(facts, { ...facts, thermal: { level: 'heavy', cpuSpeedShare: null } }), false);
});
