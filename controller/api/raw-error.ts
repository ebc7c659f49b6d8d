// An error answered on a bare socket, where there is no reply of the HTTP server: bad HTTP, refused upgrades.
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { EspalierError } from '../../protocol/errors.ts';
import { openAiError } from './openai/error.ts';
import { errorHeaders } from './request-error.ts';

/** Answers with an error and closes the connection. */
export function endWithError(socket: Duplex, error: EspalierError): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(openAiError(error));
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...errorHeaders(error),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const head = [`HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`, ...lines].join('\r\n');
  socket.end(`${head}\r\n\r\n${body}`, () => socket.destroy());
}
