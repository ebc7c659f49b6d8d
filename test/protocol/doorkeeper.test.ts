// Strangers at a real door: who pushes is held off, who is patient gets in, and the log stays short.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { Doorkeeper, type DoorLimits } from '../../protocol/doorkeeper.ts';
import { until } from '../support/until.ts';

const FREE = { total: 1_000, perAddress: 1_000, perSecond: 10_000, timeoutMs: 60_000 };

/** macOS answers on 127.0.0.1 alone. */
const skip = process.platform !== 'linux' && 'it takes several addresses on loopback';

describe('doorkeeper', { skip }, () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  async function door(limits: Partial<DoorLimits>) {
    const lines: string[] = [];
    const keeper = new Doorkeeper((line) => lines.push(line), { ...FREE, ...limits });
    const inside: Socket[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      if (keeper.admit(socket)) inside.push(socket);
    });
    server.listen(0);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const clients: Socket[] = [];
    closers.push(() => {
      keeper.close();
      for (const client of clients) client.destroy();
      server.close();
    });
    let arrived = 0;
    server.on('connection', () => {
      arrived += 1;
    });
    /** Connects, one after the other, and waits until the server has seen each. */
    const knock = async (host = '127.0.0.1') => {
      const before = arrived;
      const client = connect({ port, host: '127.0.0.1', localAddress: host });
      client.on('error', () => undefined);
      clients.push(client);
      await until(() => arrived > before, 'the knock');
      return client;
    };
    return { keeper, lines, inside, knock };
  }

  test('of one address, the oldest makes room for the newest', async () => {
    const { keeper, inside, knock } = await door({ perAddress: 3 });
    const clients: Socket[] = [];
    for (let i = 0; i < 5; i++) clients.push(await knock());
    await until(() => clients.filter((client) => client.destroyed).length === 2, 'two closed');
    assert.deepEqual(
      clients.map(({ destroyed }) => destroyed),
      [true, true, false, false, false],
    );
    assert.equal(keeper.strangerCount, 3);
    assert.equal(inside.length, 5);
  });

  test('one address cannot take the room of the others', async () => {
    const { knock } = await door({ total: 6, perAddress: 5 });
    const polite = [await knock('127.0.0.2'), await knock('127.0.0.3')];
    for (let i = 0; i < 20; i++) await knock('127.0.0.9');
    assert.ok(polite.every((client) => !client.destroyed));
  });

  test('who is known no longer counts, and is not closed for taking long', async () => {
    const { keeper, inside, knock } = await door({ perAddress: 1, timeoutMs: 30 });
    const known = await knock();
    keeper.vouch(inside[0] as Socket);
    assert.equal(keeper.strangerCount, 0);
    const slow = await knock();
    await once(slow, 'close');
    assert.equal(known.destroyed, false);
  });

  test('a flood is closed at once, and comes through again when it ebbs', async () => {
    const { keeper, inside, knock } = await door({ perSecond: 4 });
    for (let i = 0; i < 12; i++) await knock();
    assert.ok(inside.length >= 4 && inside.length < 12, `${inside.length} of 12 came in`);
    const other = await knock('127.0.0.5');
    assert.equal(other.destroyed, false);
    const before = inside.length;
    await until(async () => {
      await knock();
      return inside.length > before + 1;
    }, 'one that comes in again');
    assert.ok(keeper.strangerCount > 0);
  });

  test('a thousand refusals are a few lines', async () => {
    const { keeper, lines } = await door({});
    for (let i = 0; i < 1_000; i++) keeper.note(`refused ${i}`);
    assert.equal(lines.length, 20);
    assert.equal(lines[0], 'refused 0');
  });
});
