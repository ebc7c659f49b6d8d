// Another node's store as a source of bytes: HTTP with ranges over TLS between two keys that the controller has named to
// both. It must not know which node is the best one to ask.

import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Credentials, Fingerprint } from '../../protocol/identity.ts';
import { STRANGER_TIMEOUT_MS } from '../../protocol/limits.ts';
import type { ModelFile, ModelRef } from '../../protocol/models.ts';
import { formatHostPort } from '../../protocol/node.ts';
import { STORE_FILE_PATH, type StoreWay } from '../../protocol/store.ts';
import { dialTls } from '../../protocol/tls.ts';
import { type ByteSource, SourceError } from './byte-source.ts';

export interface OtherNode {
  /** for people */
  name: string;
  key: Fingerprint;
  ways: readonly StoreWay[];
}

/** @param credentials of this node */
export function nodeSource(
  { name, key, ways }: OtherNode,
  credentials: Credentials,
  { repo }: ModelRef,
  { blob, sizeBytes }: ModelFile,
): ByteSource {
  const query = new URLSearchParams({ repo, blob, size: String(sizeBytes) });
  return {
    name,
    async open(fromByte, signal) {
      const socket = await dialOne(ways, key, credentials, signal);
      const response = await get(socket, `${STORE_FILE_PATH}?${query}`, fromByte, signal).catch((error) => {
        socket.destroy();
        throw signal.aborted ? signal.reason : error;
      });
      if (response.statusCode === 206) return { fromByte, bytes: bodyOf(response, signal) };
      socket.destroy();
      const isGone = response.statusCode === 404;
      throw new SourceError(isGone ? 'it does not have the file' : `it answers ${response.statusCode}`, {
        isFinal: isGone,
      });
    },
  };
}

/** The first way that leads to the node. @throws SourceError */
async function dialOne(
  ways: readonly StoreWay[],
  key: Fingerprint,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const missed: string[] = [];
  for (const { host, port, from } of ways) {
    const at = formatHostPort({ host, port });
    try {
      const { socket, fingerprint } = await dialTls({ host, port }, credentials, {
        timeoutMs: STRANGER_TIMEOUT_MS,
        from,
        signal,
      });
      if (fingerprint === key) return socket;
      socket.destroy();
      missed.push(`${at} has another key`);
    } catch (error) {
      signal.throwIfAborted();
      missed.push(`${at}: ${(error as Error).message}`);
    }
  }
  throw new SourceError(`it cannot be reached (${missed.join('; ')})`);
}

function get(
  socket: TLSSocket,
  path: string,
  fromByte: number,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const headers = { host: 'store', range: `bytes=${fromByte}-`, connection: 'close' };
  return new Promise((resolve, reject) => {
    const asked = request({ path, headers, signal, createConnection: () => socket });
    asked.once('response', resolve);
    asked.once('error', (error) => reject(new SourceError(`the connection broke: ${error.message}`)));
    asked.end();
  });
}

async function* bodyOf(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const stop = () => response.destroy(new Error('it was given up'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    yield* response;
  } finally {
    signal.removeEventListener('abort', stop);
    response.destroy();
  }
}
