// Brings one file to this machine's disk: goes on from where an earlier try or process ended, asks again while the source
// is busy or away, and lets nobody see the file before its bytes are what its name says. It must not know which sources
// there are, nor who asked.
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { EspalierError } from '../../protocol/errors.ts';
import {
  DISK_RESERVE_BYTES,
  FETCH_GIVE_UP_MS,
  FETCH_RETRY_MS,
  FETCH_STALL_MS,
  MAX_FETCH_RETRY_MS,
} from '../../protocol/limits.ts';
import type { ModelFile, ModelRef } from '../../protocol/models.ts';
import { blobHash, feed } from './blob-hash.ts';
import { BlobLock } from './blob-lock.ts';
import { type ByteSource, SourceError } from './byte-source.ts';
import { type ModelCache, writeError } from './cache.ts';
import type { RateLimit } from './rate-limit.ts';

/** Another process fetches the same file: how often to look whether it has. */
const LOOK_MS = 200;
/** Written to the disk at least this often, so that a crash of the machine costs little. */
const SYNC_BYTES = 256 * 1024 * 1024;

export interface FetchTimes {
  stallMs: number;
  retryMs: number;
  maxRetryMs: number;
  /** without a single byte */
  giveUpMs: number;
}

export const FETCH_TIMES: FetchTimes = {
  stallMs: FETCH_STALL_MS,
  retryMs: FETCH_RETRY_MS,
  maxRetryMs: MAX_FETCH_RETRY_MS,
  giveUpMs: FETCH_GIVE_UP_MS,
};

export interface FetchOptions {
  signal: AbortSignal;
  /** bytes on the disk, whenever that changes */
  onProgress?: (doneBytes: number) => void;
  /** the source failed, and is asked again: why */
  onRetry?: (problem: string) => void;
  limit?: RateLimit | undefined;
  times?: FetchTimes;
  /** what stays free on the disk */
  reserveBytes?: number;
}

/**
 * Fetches a file unless it is there.
 * @returns bytes that came from the source for it: 0 where it was there, or another process fetched it
 * @throws EspalierError disk_full (with the arithmetic), model_file_damaged, model_fetch_failed, model_not_on_hub,
 *   model_access_denied, home_not_writable; the signal's reason
 */
export async function fetchBlob(
  cache: ModelCache,
  model: ModelRef,
  file: ModelFile,
  source: ByteSource,
  options: FetchOptions,
): Promise<number> {
  const { signal, onProgress = () => undefined } = options;
  await cache.prepare(model.repo);
  for (;;) {
    signal.throwIfAborted();
    if (await cache.holds(model, file)) return 0;
    const lock = await BlobLock.take(cache.lockPath(model.repo, file.blob)).catch((error) => {
      throw writeError(error, cache.lockPath(model.repo, file.blob));
    });
    if (lock) {
      try {
        const fetched = await new Fetch(cache, model, file, source, options, lock).run();
        if (fetched !== undefined) return fetched;
      } finally {
        await lock.release();
      }
    }
    onProgress(await cache.partialBytes(model.repo, file.blob));
    await delay(LOOK_MS, undefined, { signal });
  }
}

class Fetch {
  readonly #cache: ModelCache;
  readonly #model: ModelRef;
  readonly #file: ModelFile;
  readonly #source: ByteSource;
  readonly #options: FetchOptions;
  readonly #times: FetchTimes;
  readonly #lock: BlobLock;
  readonly #partial: string;
  #hash: ReturnType<typeof blobHash>;
  /** on the disk and in the hash */
  #done = 0;
  #fetched = 0;

  constructor(
    cache: ModelCache,
    model: ModelRef,
    file: ModelFile,
    source: ByteSource,
    options: FetchOptions,
    lock: BlobLock,
  ) {
    this.#cache = cache;
    this.#model = model;
    this.#file = file;
    this.#source = source;
    this.#options = options;
    this.#times = options.times ?? FETCH_TIMES;
    this.#lock = lock;
    this.#partial = cache.partialPath(model.repo, file.blob);
    this.#hash = blobHash(file);
  }

  /** @returns undefined when another process took it over */
  async run(): Promise<number | undefined> {
    const { signal } = this.#options;
    // other tools, and an older Espalier, may have left the file without a word that it is right
    const there = await this.#cache.verify(this.#model, this.#file, () => undefined, signal);
    if (there) return 0;
    // what was gathered by an earlier process may be damaged: then once more from nothing, and then the source is to blame
    for (const isLastTry of [false, true]) {
      await this.#resume();
      await this.#assertSpace();
      const wasResumed = this.#done > 0;
      await this.#gather();
      if (!(await this.#lock.isHeld())) return undefined;
      if (this.#hash.digest('hex') === this.#file.blob) {
        await this.#cache.adopt(this.#model, this.#file);
        return this.#fetched;
      }
      await rm(this.#partial, { force: true });
      if (isLastTry || !wasResumed) break;
    }
    const kind = this.#file.blob.length === 64 ? 'sha256' : 'git hash';
    throw new EspalierError(
      'model_file_damaged',
      `${this.#file.path} of ${this.#model.repo} as ${this.#source.name} gives it is damaged: its ${kind} is not ${this.#file.blob.slice(0, 12)}…; it was thrown away`,
    );
  }

  /** Takes over what an earlier try has gathered. */
  async #resume(): Promise<void> {
    this.#hash = blobHash(this.#file);
    this.#done = 0;
    const info = await stat(this.#partial).catch(() => undefined);
    if (!info) return;
    if (info.size > this.#file.sizeBytes) {
      await rm(this.#partial, { force: true });
      return;
    }
    await feed(this.#hash, this.#partial, (bytes) => this.#count(bytes), this.#options.signal);
  }

  async #assertSpace(): Promise<void> {
    const { reserveBytes = DISK_RESERVE_BYTES } = this.#options;
    const freeBytes = await this.#cache.freeBytes();
    const needBytes = this.#file.sizeBytes - this.#done;
    const missing = needBytes + reserveBytes - freeBytes;
    if (needBytes === 0 || missing <= 0) return;
    throw new EspalierError(
      'disk_full',
      `${this.#file.path} needs ${needBytes} bytes more and ${reserveBytes} are to stay free, but ${this.#cache.folder} ` +
        `has ${freeBytes} bytes: ${missing} are missing`,
    );
  }

  async #gather(): Promise<void> {
    const { signal } = this.#options;
    let lastByteAt = performance.now();
    let waitMs = this.#times.retryMs;
    while (this.#done < this.#file.sizeBytes) {
      const before = this.#done;
      let problem: SourceError;
      try {
        await this.#readOnce();
        problem = new SourceError(`it ended after ${this.#done} of ${this.#file.sizeBytes} bytes`);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (error instanceof EspalierError) throw error;
        problem = error instanceof SourceError ? error : new SourceError(`it broke off: ${wordOf(error)}`);
      }
      if (this.#done >= this.#file.sizeBytes) break;
      if (problem.isFinal) throw this.#failed(problem);
      const now = performance.now();
      if (this.#done > before) {
        lastByteAt = now;
        waitMs = this.#times.retryMs;
      }
      if (now - lastByteAt >= this.#times.giveUpMs) throw this.#failed(problem);
      this.#options.onRetry?.(problem.message);
      await delay(problem.retryAfterMs ?? waitMs, undefined, { signal });
      waitMs = Math.min(waitMs * 2, this.#times.maxRetryMs);
    }
  }

  /** One answer of the source, to its end or until it stands still. */
  async #readOnce(): Promise<void> {
    const { signal, limit } = this.#options;
    const stalled = new AbortController();
    const within = AbortSignal.any([signal, stalled.signal]);
    const { stallMs } = this.#times;
    let heardAt = performance.now();
    const watch = setInterval(() => {
      if (performance.now() - heardAt < stallMs) return;
      stalled.abort(new SourceError(`it sent nothing for ${stallMs / 1000} s`));
    }, stallMs / 4);
    const handle = await open(this.#partial, 'a').catch((error) => {
      throw writeError(error, this.#partial);
    });
    try {
      const { fromByte, bytes } = await this.#source.open(this.#done, within);
      let skip = this.#done - fromByte;
      let unsynced = 0;
      for await (const piece of bytes) {
        heardAt = performance.now();
        const chunk = skip > 0 ? piece.subarray(skip) : piece;
        skip = Math.max(0, skip - piece.length);
        if (chunk.length === 0) continue;
        if (this.#done + chunk.length > this.#file.sizeBytes)
          throw new SourceError(`it sends more than ${this.#file.sizeBytes} bytes`, { isFinal: true });
        // to wait here is no fault of the source
        heardAt = Number.POSITIVE_INFINITY;
        await limit?.take(chunk.length, signal);
        await this.#write(handle, chunk);
        unsynced += chunk.length;
        if (unsynced >= SYNC_BYTES) {
          await this.#sync(handle);
          unsynced = 0;
        }
        heardAt = performance.now();
      }
      await this.#sync(handle);
    } catch (error) {
      throw stalled.signal.aborted && !signal.aborted ? stalled.signal.reason : error;
    } finally {
      clearInterval(watch);
      await handle.close();
    }
  }

  async #write(handle: FileHandle, chunk: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
    } catch (error) {
      // a part of it may be in the file: the next try begins with what the file says
      throw writeError(error, this.#partial);
    }
    this.#hash.update(chunk);
    this.#fetched += chunk.length;
    this.#count(chunk.length);
  }

  /** Some file systems find out only now that they are full. */
  async #sync(handle: FileHandle): Promise<void> {
    await handle.datasync().catch((error) => {
      throw writeError(error, this.#partial);
    });
  }

  #count(bytes: number): void {
    this.#done += bytes;
    this.#options.onProgress?.(this.#done);
  }

  #failed({ code, message }: SourceError): EspalierError {
    const { path } = this.#file;
    return new EspalierError(
      code,
      `${path} of ${this.#model.repo} could not be fetched from ${this.#source.name}: ${message}`,
    );
  }
}

function wordOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
