// A real HTTP and WebSocket server on loopback that stands in for a controller's status in tests.
import { createServer } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { STATUS_PATH } from '../../protocol/status.ts';

export interface StatusServer {
  url: string;
  port: number;
  /** connections of the stream that are open */
  clients(): WebSocket[];
  /** resolves with the next connection */
  nextClient(): Promise<WebSocket>;
  close(): Promise<void>;
}

/**
 * @param body what GET answers, and the first message of every stream; undefined for none
 * @param port 0 for a free one
 */
export async function startStatusServer(body: () => string | undefined, port = 0): Promise<StatusServer> {
  const http = createServer((request, response) => {
    const text = request.url === STATUS_PATH ? body() : undefined;
    response.writeHead(text === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(text ?? '{}');
  });
  const sockets = new WebSocketServer({ server: http, path: STATUS_PATH });
  const waiting: ((socket: WebSocket) => void)[] = [];
  sockets.on('connection', (socket) => {
    const text = body();
    if (text !== undefined) socket.send(text);
    for (const resolve of waiting.splice(0)) resolve(socket);
  });
  const listening = Promise.withResolvers<void>();
  http.listen(port, '127.0.0.1', listening.resolve);
  await listening.promise;
  const address = http.address();
  const actualPort = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${actualPort}`,
    port: actualPort,
    clients: () => [...sockets.clients],
    nextClient: () => new Promise((resolve) => waiting.push(resolve)),
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      const closed = Promise.withResolvers<void>();
      http.close(() => closed.resolve());
      http.closeAllConnections();
      await closed.promise;
    },
  };
}
