// The control connection, from outside: who is let in, who is told why not, and that nonsense hurts nobody.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import { ControlServer, type StageCommand } from '../../agent/control-server.ts';
import { nodeFacts } from '../../agent/facts/machine.ts';
import type { ProbeCommand } from '../../protocol/probe.ts';
import { PROTOCOL_VERSION } from '../../protocol/version.ts';
import { until } from '../support/until.ts';

const HELLO = {
  kind: 'hello',
  protocol: PROTOCOL_VERSION,
  controllerId: 'c1',
  cluster: 'attic',
  espalierVersion: '0',
};

describe('control server', () => {
  const commands: StageCommand[] = [];
  const probes: ProbeCommand[] = [];
  let gone = 0;
  const server = new ControlServer(
    nodeFacts('0123456789abcdef', { name: 'studio-1' }),
    'attic',
    pino({ level: 'silent' }),
    {
      onCommand: (command) => commands.push(command),
      onProbe: (command) => probes.push(command),
      onDisconnect: () => {
        gone += 1;
      },
    },
  );
  let port = 0;
  const sockets: WebSocket[] = [];

  before(async () => {
    port = await server.listen('127.0.0.1', 0);
  });
  after(() => {
    for (const socket of sockets) socket.terminate();
    server.close();
  });

  async function open(headers: Record<string, string> = {}): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers });
    sockets.push(socket);
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

  test('strangers are refused with a reason', async () => {
    assert.match((await say('nonsense')).message ?? '', /does not know that message/);
    assert.match((await say({ kind: 'undeploy', epoch: 1 })).message ?? '', /did not begin with a hello/);
    assert.equal((await say({ ...HELLO, cluster: 'cellar' })).code, 'other_cluster');
    const old = await say({ ...HELLO, protocol: PROTOCOL_VERSION - 1 });
    assert.equal(old.code, 'protocol_version');
    assert.match(old.message ?? '', /upgrade Espalier on the side of the controller/);
    const young = await say({ ...HELLO, protocol: PROTOCOL_VERSION + 1 });
    assert.match(young.message ?? '', /upgrade Espalier on the side of node studio-1/);
    assert.equal(commands.length, 0);
  });

  test('a web page is not even answered', async () => {
    await assert.rejects(open({ origin: 'https://example.org' }), /socket hang up|ECONNRESET/);
  });

  test('one controller is let in, a second is refused, the same one again replaces itself', async () => {
    const first = await open();
    assert.equal((await say(HELLO, first)).kind, 'hello');
    const other = await say({ ...HELLO, controllerId: 'c2' });
    assert.equal(other.code, 'node_busy');
    assert.match(other.message ?? '', /serves another controller \(c1\)/);

    first.send(JSON.stringify({ kind: 'cancel', epoch: 1, requestId: 'r' }));
    await until(() => commands.length === 1);
    first.send(JSON.stringify({ kind: 'probe-stop', probeId: '0123456789' }));
    await until(() => probes.length === 1);
    assert.equal(commands.length, 1);

    const again = await open();
    assert.equal((await say(HELLO, again)).kind, 'hello');
    await until(() => first.readyState === WebSocket.CLOSED);
    assert.equal(gone, 0, 'a controller that replaces itself was never gone');
    again.terminate();
    await until(() => gone === 1);
  });

  test('a taken port is named, with the flag that changes it', async () => {
    const second = new ControlServer(
      nodeFacts('0123456789abcdef', { name: 'x' }),
      'attic',
      pino({ level: 'silent' }),
      {
        onCommand: () => undefined,
        onProbe: () => undefined,
        onDisconnect: () => undefined,
      },
    );
    await assert.rejects(second.listen('127.0.0.1', port), {
      code: 'port_taken',
      message: new RegExp(`${port}.*--port`),
    });
  });
});
