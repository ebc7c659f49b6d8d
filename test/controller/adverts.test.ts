// What anybody on the network may announce, and how little of it a controller dials, remembers and tells.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { type Advert, Adverts, type Candidate } from '../../controller/adverts.ts';
import { Nodes } from '../../controller/nodes.ts';
import { EventLog } from '../../controller/status.ts';
import { MAX_CANDIDATES, MAX_STRANGER_DIALS } from '../../protocol/limits.ts';
import { PROTOCOL_VERSION } from '../../protocol/version.ts';
import { newIdentity } from '../support/identities.ts';
import { ControllerEnd } from '../support/two-ends.ts';
import { until } from '../support/until.ts';

function advert(number: number, protocol = PROTOCOL_VERSION): Advert {
  const txt = { id: `stranger-${number}`, boot: 'b', protocol: String(protocol), cluster: 'home' };
  return { name: `mac\u001b[2J-${number}`, port: 7118, txt, addresses: ['192.0.2.1', 'fe80::1'] };
}

describe('adverts', () => {
  test('an agent of another version is told of once, by a name that a terminal can show', () => {
    const told: string[] = [];
    const adverts = new Adverts('home', (text) => told.push(text));
    for (let round = 0; round < 3; round++) assert.equal(adverts.read(advert(1, 999)), undefined);
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /node mac-1 speaks 999/);
  });

  test('a node of another cluster is none, and addresses that cannot be dialled are left out', () => {
    const adverts = new Adverts('home', assert.fail);
    const other = advert(1);
    other.txt.cluster = 'attic';
    assert.equal(adverts.read(other), undefined);
    assert.equal(adverts.hasHeard, false);
    assert.deepEqual(adverts.read(advert(2))?.addresses, [{ host: '192.0.2.1', port: 7118 }]);
    const many = Array.from({ length: 5_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    assert.ok((adverts.read({ ...advert(3), addresses: many })?.addresses.length ?? 0) <= 16);
  });
});

test('events of strangers make room for each other, and not in the place of the cluster’s own', () => {
  const events = new EventLog();
  events.add('error', 'studio-2 is lost', undefined);
  for (let i = 0; i < 1_000; i++) events.add('info', `stranger ${i} waits`, undefined, true);
  assert.equal(events.all[0]?.text, 'studio-2 is lost');
  assert.equal(events.all.at(-1)?.text, 'stranger 999 waits');
  assert.ok(events.all.length <= 21, `${events.all.length} events`);
});

test('a flood of adverts is dialled a few at a time, and forgotten; paired nodes are dialled nonetheless', async () => {
  const controller = await ControllerEnd.up();
  const paired = await newIdentity();
  const { fingerprint, id } = paired;
  controller.pins.add({ fingerprint, name: 'studio-2', pairedAt: new Date().toISOString() });
  const never = () => assert.fail('nobody is there');
  const listener = {
    ...{
      onConnected: never,
      onMachine: never,
      onEngine: never,
      onLost: never,
      onEvent: never,
      onProbe: never,
      onCheck: never,
    },
    onRefused: () => undefined,
  };
  const log = pino({ level: 'silent' });
  const nodes = new Nodes(controller.identity, controller.pairing, 'home', listener, log);
  const candidate = (key: string, nodeId: string, port: number): Candidate => ({
    ...{ key, nodeId, foundBy: 'bonjour' },
    addresses: [{ host: '127.0.0.1', port }],
  });
  try {
    for (let i = 0; i < 500; i++) nodes.consider(candidate(`${i}/b`, `stranger-${i}`, 1));
    assert.equal(nodes.candidateCount, MAX_STRANGER_DIALS);
    nodes.consider(candidate(`${id}/b`, id, 1));
    assert.equal(nodes.candidateCount, MAX_STRANGER_DIALS + 1, 'the cluster’s own waits for no stranger');
    let next = 0;
    await until(() => {
      for (let i = 0; i < MAX_STRANGER_DIALS; i++) nodes.consider(candidate(`${++next}/c`, `s-${next}`, 1));
      return next > 2 * MAX_CANDIDATES;
    }, 'a flood');
    assert.ok(nodes.candidateCount <= MAX_CANDIDATES + MAX_STRANGER_DIALS, `${nodes.candidateCount}`);
  } finally {
    nodes.stop();
  }
});
