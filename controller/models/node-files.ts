// Reads model files of a node as the controller, over TLS with both keys known. For text files and headers of weights alone:
// weights never come to the controller.
import { request } from 'node:http';
import { EspalierError } from '../../protocol/errors.ts';
import type { Credentials, Fingerprint } from '../../protocol/identity.ts';
import {
  HELLO_TIMEOUT_MS,
  MAX_MODEL_TEXT_BYTES,
  MAX_STORE_HEADER_BYTES,
  STORE_ASK_TIMEOUT_MS,
} from '../../protocol/limits.ts';
import type { ModelRef } from '../../protocol/models.ts';
import type { HostPort } from '../../protocol/node.ts';
import { STORE_FILE_PATH, STORE_HEADER_PATH } from '../../protocol/store.ts';
import { dialTls } from '../../protocol/tls.ts';
import type { ShelfSource } from './shelf.ts';

export interface FileNode {
  name: string;
  address: HostPort;
  key: Fingerprint;
}

/** @param credentials of the controller */
export function nodeFiles(node: FileNode, credentials: Credentials, { repo, commit }: ModelRef): ShelfSource {
  const read = async (path: string, query: Record<string, string>, range: string, maxBytes: number) => {
    const { socket, fingerprint } = await dialTls(node.address, credentials, { timeoutMs: HELLO_TIMEOUT_MS });
    try {
      if (fingerprint !== node.key) throw new Error('it has another key than before');
      const headers = { host: 'store', range, connection: 'close' };
      const signal = AbortSignal.timeout(STORE_ASK_TIMEOUT_MS);
      const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
      const url = `${path}?${new URLSearchParams(query)}`;
      const asked = request({ path: url, headers, signal, createConnection: () => socket }, (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > maxBytes) response.destroy(new Error(`it sends more than ${maxBytes} bytes`));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks);
          const isRight = response.statusCode === 206 || response.statusCode === 200;
          if (isRight) resolve(text);
          else
            reject(new Error(`it answers ${response.statusCode}: ${text.toString('utf8', 0, 500).trim()}`));
        });
      });
      asked.on('error', reject);
      asked.end();
      return await promise;
    } finally {
      socket.destroy();
    }
  };
  const told = async (what: string, task: Promise<Buffer>) =>
    task.catch((error: Error) => {
      throw new EspalierError(
        'model_fetch_failed',
        `${what} of ${repo} could not be read of ${node.name}: ${error.message}`,
      );
    });
  return {
    text: ({ path, blob, sizeBytes }) => {
      const query = { repo, blob, size: String(sizeBytes) };
      return told(path, read(STORE_FILE_PATH, query, 'bytes=0-', MAX_MODEL_TEXT_BYTES));
    },
    head: ({ path, blob, sizeBytes }) => {
      const query = { repo, commit, path, blob, size: String(sizeBytes) };
      return told(
        `the header of ${path}`,
        read(STORE_HEADER_PATH, query, 'bytes=0-', MAX_STORE_HEADER_BYTES + 8),
      );
    },
  };
}
