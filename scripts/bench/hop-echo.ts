// The other process of the hop bench: sends back what it receives, over a bare socket and over a pair of hops.
import { createServer } from 'node:net';
import { getOneMessage, sendMessage } from 'execa';
import { z } from 'zod';
import { HopClient, HopServer } from '../../agent/stage/hop.ts';
import { Credentials, Fingerprint } from '../../protocol/identity.ts';
import { HELLO, type Ports } from './hop-round-trip.ts';

const bare = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => socket.write(chunk));
});
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
bare.listen(0, '127.0.0.1', async () => {
  const address = bare.address();
  const ports: z.infer<typeof Ports> = {
    bare: typeof address === 'object' && address ? address.port : 0,
    hop,
  };
  await sendMessage(ports);
});
process.on('disconnect', () => process.exit(0));
