// The control connection, from outside: who is let in, who is told why not, and that nonsense hurts nobody.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import { ControlServer, type StageCommand } from '../../agent/control-server.ts';
import { nodeFacts } from '../../agent/facts/machine.ts';
import type { ControlTrust } from '../../agent/front-door.ts';
import { EspalierError } from '../../protocol/errors.ts';
import type { ProbeCommand } from '../../protocol/probe.ts';
import { PROTOCOL_VERSION } from '../../protocol/version.ts';
import { newIdentity } from '../support/identities.ts';
import { until } from '../support/until.ts';

const [AGENT, CONTROLLER, STRANGER] = await Promise.all([newIdentity(), newIdentity(), newIdentity()]);
const HELLO = {
  kind: 'hello',
  protocol: PROTOCOL_VERSION,
  controllerId: 'c1',
  controllerBootId: 'first-start',
  cluster: 'attic',
  espalierVersion: '0',
};

/** Paired with the controller, for good. */
class Paired implements ControlTrust {
  readonly isPaired = true;
  forgotten = 0;

  isController(fingerprint: string | undefined): boolean {
    return fingerprint === CONTROLLER.fingerprint;
  }
  refusal(): EspalierError {
    return new EspalierError('paired_elsewhere', 'it is paired with another one');
  }
  async greet(): Promise<void> {
    assert.fail('a paired agent greets nobody');
  }
  forget(): void {
    this.forgotten += 1;
  }
}

describe('control server', () => {
  const commands: StageCommand[] = [];
  const probes: ProbeCommand[] = [];
  const trust = new Paired();
  let gone = 0;
  const log = pino({ level: 'silent' });
  const server = new ControlServer(nodeFacts(AGENT.id, { name: 'studio-1' }), 'attic', AGENT, trust, log, {
    onCommand: (command) => commands.push(command),
    onProbe: (command) => probes.push(command),
    onCheck: () => undefined,
    onConnect: () => undefined,
    stage: () => null,
    onDisconnect: () => {
      gone += 1;
    },
  });
  let port = 0;
  const sockets: WebSocket[] = [];

  before(async () => {
    port = await server.listen('127.0.0.1', 0);
  });
  after(() => {
    for (const socket of sockets) socket.terminate();
    server.close();
  });

  async function open({ as = CONTROLLER, path = '/control', headers = {} } = {}): Promise<WebSocket> {
    const { key, certificate: cert } = as;
    const tls = { key, cert, rejectUnauthorized: false };
    const socket = new WebSocket(`wss://127.0.0.1:${port}${path}`, { headers, ...tls });
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'open');
    return socket;
  }

  /** Says something and returns the first answer. */
  async function say(
    what: unknown,
    socket?: WebSocket,
  ): Promise<{ kind: string; code?: string; message?: string }> {
    const connection = socket ?? (await open());
    const answer = once(connection, 'message');
    connection.send(typeof what === 'string' ? what : JSON.stringify(what));
    return JSON.parse(String((await answer)[0]));
  }

  test('what is not understood is refused with a reason', async () => {
    assert.match((await say('nonsense')).message ?? '', /does not know that message/);
    assert.match((await say({ kind: 'undeploy', epoch: 1 })).message ?? '', /did not begin with a hello/);
    assert.match((await say({ kind: 'unpair' })).message ?? '', /did not begin with a hello/);
    assert.equal((await say({ ...HELLO, cluster: 'cellar' })).code, 'other_cluster');
    const old = await say({ ...HELLO, protocol: PROTOCOL_VERSION - 1 });
    assert.equal(old.code, 'protocol_version');
    assert.match(old.message ?? '', /upgrade Espalier on the side of the controller/);
    const young = await say({ ...HELLO, protocol: PROTOCOL_VERSION + 1 });
    assert.match(young.message ?? '', /upgrade Espalier on the side of node studio-1/);
    assert.equal(commands.length, 0);
  });

  test('another key is told why not, whatever it says and wherever it knocks', async () => {
    for (const path of ['/control', '/pair', '/']) {
      const socket = await open({ as: STRANGER, path });
      const [answer] = await once(socket, 'message');
      assert.equal(JSON.parse(String(answer)).code, 'paired_elsewhere');
      socket.send(JSON.stringify(HELLO));
      socket.send(JSON.stringify({ kind: 'cancel', epoch: 1, requestId: 'r' }));
      await once(socket, 'close');
    }
    assert.equal(commands.length, 0);
    assert.equal(server.hasController, false);
  });

  test('a web page is not even answered', async () => {
    const headers = { origin: 'https://example.org' };
    await assert.rejects(open({ headers }), /socket hang up|ECONNRESET/);
  });

  test('one connection is served; the same start again replaces itself, a second process is refused', async () => {
    const first = await open();
    assert.equal((await say(HELLO, first)).kind, 'hello');
    const other = await say({ ...HELLO, controllerBootId: 'another-start' });
    assert.equal(other.code, 'node_busy');
    assert.match(other.message ?? '', /another controller with the same key \(c1\).*copied/);

    first.send(JSON.stringify({ kind: 'cancel', epoch: 1, requestId: 'r' }));
    await until(() => commands.length === 1);
    first.send(JSON.stringify({ kind: 'probe-stop', probeId: '0123456789' }));
    await until(() => probes.length === 1);
    assert.equal(commands.length, 1);

    const again = await open();
    assert.equal((await say(HELLO, again)).kind, 'hello');
    await until(() => first.readyState === WebSocket.CLOSED);
    assert.equal(gone, 0, 'a controller that replaces itself was never gone');

    // the next start of a controller whose machine lost its power: the old connection is open, and nobody answers on it
    again.pause();
    const next = await open();
    assert.equal((await say({ ...HELLO, controllerBootId: 'another-start' }, next)).kind, 'hello');
    next.send(JSON.stringify({ kind: 'unpair' }));
    await until(() => trust.forgotten === 1);
    next.terminate();
    await until(() => gone === 1);
  });

  test('a controller that does not speak, or does not read, loses its connection', async () => {
    const silent = await open();
    assert.equal((await say(HELLO, silent)).kind, 'hello');
    await until(() => silent.readyState === WebSocket.CLOSED, 'the end of the lease');

    const deaf = await open();
    assert.equal((await say(HELLO, deaf)).kind, 'hello');
    deaf.pause();
    const message = 'x'.repeat(1 << 20);
    // what the system's own buffers take, and then what is allowed to wait
    for (let i = 0; i < 64 && server.hasController; i++) {
      server.send({ kind: 'stage-failed', epoch: 1, code: 'internal', message });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => !server.hasController, 'the end of the connection');
  });

  test('a taken port is named, with the flag that changes it', async () => {
    const second = new ControlServer(nodeFacts(AGENT.id, { name: 'x' }), 'attic', AGENT, trust, log, {
      onCommand: () => undefined,
      onProbe: () => undefined,
      onCheck: () => undefined,
      onConnect: () => undefined,
      onDisconnect: () => undefined,
      stage: () => null,
    });
    await assert.rejects(second.listen('127.0.0.1', port), {
      code: 'port_taken',
      message: new RegExp(`${port}.*--port`),
    });
  });
});
