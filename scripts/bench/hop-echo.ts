// The other process of the hop bench: sends back what it receives, over bare sockets without and with TLS, and over a pair
// of hops.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { getOneMessage, sendMessage } from 'execa';
import { z } from 'zod';
import { HopClient, HopServer } from '../../agent/stage/hop.ts';
import { Credentials, Fingerprint } from '../../protocol/identity.ts';
import { serverTls } from '../../protocol/tls.ts';
import { HELLO, type Ports } from './hop-round-trip.ts';

const TIMEOUT_MS = 10_000;

function echo(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => socket.write(chunk));
}

const Start = z.object({ port: z.int(), credentials: Credentials, peer: Fingerprint });
const { port, ...keys } = Start.parse(await getOneMessage());
let client: HopClient | undefined;
const server = new HopServer({ ...HELLO, fromStage: 0 }, keys, {
  onLinked() {},
  onFrame: (frame) => client?.send(frame),
  onLost() {},
  onRefused() {},
});
const hop = await server.listen('127.0.0.1');
client = await HopClient.dial({ host: '127.0.0.1', port }, { ...HELLO, fromStage: 1 }, keys, () =>
  process.exit(0),
);
const bare = createServer({ noDelay: true }, echo).listen(0, '127.0.0.1');
const sealed = createTls({ ...serverTls(keys.credentials, TIMEOUT_MS), noDelay: true }, echo).listen(
  0,
  '127.0.0.1',
);
await Promise.all([once(bare, 'listening'), once(sealed, 'listening')]);
const [barePort, sealedPort] = [bare, sealed].map((one) => (one.address() as AddressInfo).port) as [
  number,
  number,
];
await sendMessage({ bare: barePort, sealed: sealedPort, hop } satisfies z.infer<typeof Ports>);
process.on('disconnect', () => process.exit(0));
