// Gives this node's model files to the controller and to the nodes that it has named: HTTP with ranges. A file that is still
// being fetched is given as far as it has come, and then as it comes. It must not know who may ask: the front door does.
import { open, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { MAX_STORE_HEADER_BYTES, MAX_STORE_READS } from '../../protocol/limits.ts';
import {
  STORE_FILE_PATH,
  STORE_HEADER_PATH,
  StoreFileQuery,
  StoreHeaderQuery,
} from '../../protocol/store.ts';
import type { ModelCache } from './cache.ts';
import type { Hub } from './hub.ts';

const CHUNK_BYTES = 1024 * 1024;
/** A file that grows is looked at this often. */
const LOOK_MS = 25;
/** A file that is fetched here and does not grow for so long is not given any further. */
const STANDSTILL_MS = 60_000;

export class FileServer {
  readonly #cache: ModelCache;
  readonly #hub: Hub;
  /** whether this process is fetching a blob */
  readonly #isComing: (blob: string) => boolean;
  #open = 0;

  constructor(cache: ModelCache, hub: Hub, isComing: (blob: string) => boolean) {
    this.#cache = cache;
    this.#hub = hub;
    this.#isComing = isComing;
  }

  /** Answers one request; it never throws. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    if (this.#open >= MAX_STORE_READS) {
      response.writeHead(503, { 'retry-after': '1', connection: 'close' }).end();
      return;
    }
    this.#open += 1;
    try {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://store');
      const query = Object.fromEntries(searchParams);
      if (request.method !== 'GET') respond(response, 405, 'It takes GET.');
      else if (pathname === STORE_FILE_PATH) await this.#file(query, request, response, gone.signal);
      else if (pathname === STORE_HEADER_PATH) await this.#header(query, response, gone.signal);
      else respond(response, 404, 'There is no such path.');
    } catch (error) {
      if (response.headersSent) response.destroy();
      else respond(response, 500, (error as Error).message);
    } finally {
      this.#open -= 1;
    }
  }

  async #file(
    query: unknown,
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const asked = StoreFileQuery.safeParse(query);
    const begin = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN);
    if (!asked.success || !(begin <= asked.data.size))
      return respond(response, 400, 'It takes repo, blob, size and a range.');
    const { repo, blob, size } = asked.data;
    const isHere = await this.#cache.isVerified(repo, { path: '', blob, sizeBytes: size });
    if (!isHere && !this.#isComing(blob)) return respond(response, 404, 'That file is not here.');
    response.writeHead(206, {
      'content-type': 'application/octet-stream',
      'content-length': String(size - begin),
      'content-range': `bytes ${begin}-${Math.max(begin, size - 1)}/${size}`,
    });
    response.flushHeaders();
    await this.#pour(repo, blob, { begin, size }, response, signal);
    response.end();
  }

  /** A descriptor goes on to name the file when it is renamed from partial to whole. */
  async #pour(
    repo: string,
    blob: string,
    { begin, size }: { begin: number; size: number },
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const whole = this.#cache.blobPath(repo, blob);
    const partial = this.#cache.partialPath(repo, blob);
    let at = begin;
    let grewAt = performance.now();
    while (at < size) {
      const isHere = await this.#cache.isVerified(repo, { path: '', blob, sizeBytes: size });
      const there = await stat(isHere ? whole : partial).catch(() => undefined);
      const end = Math.min(there?.size ?? 0, size);
      if (end > at) {
        at = await pourRange(isHere ? whole : partial, at, end, response, signal);
        grewAt = performance.now();
        continue;
      }
      const isOver = isHere || !this.#isComing(blob) || performance.now() - grewAt > STANDSTILL_MS;
      if (isOver && !(await this.#cache.isVerified(repo, { path: '', blob, sizeBytes: size })))
        throw new Error('it does not come any further');
      await delay(LOOK_MS, undefined, { signal });
    }
  }

  /** The first bytes of a weights file, as many as say what is in it. */
  async #header(query: unknown, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const asked = StoreHeaderQuery.safeParse(query);
    if (!asked.success) return respond(response, 400, 'It takes repo, commit, path, blob and size.');
    const { repo, commit, path, blob, size } = asked.data;
    const isHere = await this.#cache.isVerified(repo, { path, blob, sizeBytes: size });
    const read = (begin: number, end: number) =>
      isHere
        ? readRange(this.#cache.blobPath(repo, blob), begin, end)
        : this.#hub.range({ repo, commit }, path, begin, end, signal);
    const prefix = await read(0, Math.min(8, size));
    const headerBytes = prefix.length === 8 ? Number(prefix.readBigUInt64LE(0)) : 0;
    if (headerBytes < 2 || headerBytes > MAX_STORE_HEADER_BYTES || 8 + headerBytes > size)
      return respond(response, 422, `${path} of ${repo} is no safetensors file.`);
    const header = await read(8, 8 + headerBytes);
    response.writeHead(200, { 'content-length': String(8 + headerBytes) });
    response.write(prefix);
    response.end(header);
  }
}

function respond(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { connection: 'close' }).end(`${text}\n`);
}

/** @returns where it ended */
async function pourRange(
  path: string,
  begin: number,
  end: number,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<number> {
  const handle = await open(path, 'r');
  let at = begin;
  try {
    while (at < end) {
      signal.throwIfAborted();
      // a chunk of its own each time: the socket may still hold the last one
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at));
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      if (!response.write(chunk.subarray(0, bytesRead))) await drained(response, signal);
    }
  } finally {
    await handle.close();
  }
  return at;
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      response.off('drain', go);
      reject(new Error('the reader is gone'));
    };
    const go = () => {
      signal.removeEventListener('abort', leave);
      resolve();
    };
    if (signal.aborted) return leave();
    signal.addEventListener('abort', leave, { once: true });
    response.once('drain', go);
    return undefined;
  });
}

async function readRange(path: string, begin: number, end: number): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(end - begin);
    await handle.read(bytes, 0, bytes.length, begin);
    return bytes;
  } finally {
    await handle.close();
  }
}
