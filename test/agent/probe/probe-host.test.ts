// Two probe hosts that talk to each other over loopback, told what to do as a controller would.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { pino } from 'pino';
import { ProbeHost } from '../../../agent/probe/probe-host.ts';
import { ControlCommand, ControlEvent } from '../../../protocol/control.ts';
import { MAX_PROBES } from '../../../protocol/limits.ts';
import type { ProbeCommand, ProbeEvent } from '../../../protocol/probe.ts';
import { newIdentity } from '../../support/identities.ts';
import { until } from '../../support/until.ts';

const token = 'a'.repeat(43);
/** Both agents have the same key, as each other's peer: which is whose does not matter here. */
const IDENTITY = await newIdentity();
const peer = IDENTITY.fingerprint;

class Agent {
  readonly told: ProbeEvent[] = [];
  readonly host: ProbeHost;

  constructor(host: string) {
    this.host = new ProbeHost(host, IDENTITY, pino({ level: 'silent' }), (event) =>
      this.told.push(ControlEvent.parse(event) as ProbeEvent),
    );
  }

  async ask(command: ProbeCommand): Promise<ProbeEvent> {
    const before = this.told.length;
    this.host.handle(ControlCommand.parse(command) as ProbeCommand);
    await until(() => this.told.length > before, `an answer to ${command.kind}`);
    return this.told[before] as ProbeEvent;
  }
}

async function portOf(agent: Agent, probeId: string): Promise<number> {
  const event = await agent.ask({ kind: 'probe-listen', probeId, token, peer, addresses: ['127.0.0.1'] });
  assert.ok(event.kind === 'probe-listening');
  return event.ports[0]?.port ?? assert.fail('it does not listen');
}

describe('probe host', () => {
  const [a, b] = [new Agent('127.0.0.1'), new Agent('127.0.0.1')];
  after(() => {
    a.host.stop();
    b.host.stop();
  });

  test('a whole measurement, in words that the protocol knows', async () => {
    const probeId = 'measurement-1';
    const target = { from: '127.0.0.1', to: '127.0.0.1', port: await portOf(b, probeId) };
    const reached = await a.ask({ kind: 'probe-reach', probeId, token, peer, targets: [target] });
    assert.ok(reached.kind === 'probe-reached' && reached.tries[0]?.outcome === 'reached');
    const measured = await a.ask({ kind: 'probe-measure', probeId, token, peer, targets: [target] });
    assert.ok(measured.kind === 'probe-measured' && measured.paths[0]?.figures);

    b.host.handle({ kind: 'probe-stop', probeId });
    const closed = await a.ask({ kind: 'probe-reach', probeId, token, peer, targets: [target] });
    assert.ok(closed.kind === 'probe-reached' && closed.tries[0]?.outcome === 'refused');
  });

  test('an agent that listens on one address offers no other', async () => {
    const shy = new Agent('192.0.2.200');
    const event = await shy.ask({
      kind: 'probe-listen',
      probeId: 'measurement-2',
      token,
      peer,
      addresses: ['127.0.0.1'],
    });
    shy.host.stop();
    assert.ok(event.kind === 'probe-listening');
    assert.deepEqual(event.ports, [{ address: '127.0.0.1', port: null, why: 'not-offered' }]);
  });

  test('one measurement too many ends the oldest, and nobody hears of it again', async () => {
    const oldest = await portOf(b, 'many-00000');
    for (let i = 1; i <= MAX_PROBES; i++) await portOf(b, `many-0000${i}`);
    const target = { from: '127.0.0.1', to: '127.0.0.1', port: oldest };
    const event = await a.ask({
      kind: 'probe-reach',
      probeId: 'measurement-3',
      token,
      peer,
      targets: [target],
    });
    assert.ok(event.kind === 'probe-reached' && event.tries[0]?.outcome === 'refused');
  });

  test('what was stopped says nothing more', async () => {
    const probeId = 'measurement-4';
    const target = { from: '127.0.0.1', to: '127.0.0.1', port: await portOf(b, probeId) };
    const before = a.told.length;
    a.host.handle({ kind: 'probe-measure', probeId, token, peer, targets: [target] });
    a.host.handle({ kind: 'probe-stop', probeId });
    await a.ask({ kind: 'probe-reach', probeId: 'measurement-5', token, peer, targets: [target] });
    assert.deepEqual(
      a.told.slice(before).map((event) => event.probeId),
      ['measurement-5'],
    );
  });
});
