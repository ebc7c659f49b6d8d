// A relay between two sockets that can fall silent without closing anything, as a pulled cable does.
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { HostPort } from '../../protocol/node.ts';

export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isSilent = false;
  port = 0;

  private constructor(to: HostPort) {
    this.#server = createServer((near) => {
      const far = createConnection(to.port, to.host);
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => undefined);
        from.on('data', (chunk) => this.#isSilent || into.write(chunk));
        from.on('close', () => this.#isSilent || into.destroy());
      }
    });
  }

  static async open(to: HostPort): Promise<Relay> {
    const relay = new Relay(to);
    await new Promise<void>((resolve) => relay.#server.listen(0, '127.0.0.1', resolve));
    const address = relay.#server.address();
    relay.port = typeof address === 'object' && address ? address.port : 0;
    return relay;
  }

  /** Nothing gets through any more, and nobody is told. */
  fallSilent(): void {
    this.#isSilent = true;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
