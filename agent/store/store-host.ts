// Carries out the controller's words on this node's model files, several at once, and tells how far each has come. Without
// a controller nothing is fetched: what has come stays, and the next one goes on from there.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { asEspalierError, EspalierError } from '../../protocol/errors.ts';
import type { Credentials, Fingerprint } from '../../protocol/identity.ts';
import { COPY_GIVE_UP_MS, MAX_MODEL_TEXT_BYTES, STORE_PROGRESS_MS } from '../../protocol/limits.ts';
import { isWeightsFile, type ModelDescription, type ModelRef } from '../../protocol/models.ts';
import type { StoreCommand, StoreEvent } from '../../protocol/store.ts';
import { ModelCache } from './cache.ts';
import { FETCH_TIMES, type FetchTimes, fetchBlob } from './fetch-blob.ts';
import { FileServer } from './file-server.ts';
import { Hub } from './hub.ts';
import type { HubSettings } from './hub-settings.ts';
import { hasOwnDraft, importFolder } from './import-folder.ts';
import { nodeSource } from './node-source.ts';
import { RateLimit } from './rate-limit.ts';

type Question = Exclude<StoreCommand, { kind: 'store-share' | 'store-stop' }>;
type Of<Kind> = Extract<StoreCommand, { kind: Kind }>;
/** Bytes that are done; or, without, why none come. */
type OnProgress = (doneBytes: number | undefined, problem?: string) => void;

export interface StoreHostOptions {
  settings: HubSettings;
  /** of this node */
  credentials: Credentials;
  log: Logger;
  tell(event: StoreEvent): void;
  times?: FetchTimes | undefined;
  /** stays free on the disk */
  reserveBytes?: number | undefined;
}

export class StoreHost {
  readonly #cache: ModelCache;
  readonly #hub: Hub;
  readonly #server: FileServer;
  readonly #options: StoreHostOptions;
  readonly #running = new Map<string, AbortController>();
  /** blobs that are being fetched, and by how many */
  readonly #coming = new Map<string, number>();
  #readers: ReadonlySet<Fingerprint> = new Set();

  constructor(options: StoreHostOptions) {
    this.#options = options;
    this.#cache = new ModelCache(options.settings.cacheDir);
    this.#hub = new Hub(options.settings);
    this.#server = new FileServer(this.#cache, this.#hub, (blob) => this.#coming.has(blob));
  }

  handle(command: StoreCommand): void {
    if (command.kind === 'store-share') this.#readers = new Set(command.readers);
    else if (command.kind === 'store-stop') this.#end(command.askId);
    else void this.#answer(command);
  }

  /** Where a model's files are found under their names: those that this node holds. */
  folderOf(model: ModelRef): string {
    return this.#cache.snapshotDir(model);
  }

  /** Whether the controller has named a node with this key as one that may read. */
  mayRead(fingerprint: Fingerprint | undefined): boolean {
    return fingerprint !== undefined && this.#readers.has(fingerprint);
  }

  serve(request: IncomingMessage, response: ServerResponse): void {
    void this.#server.serve(request, response);
  }

  /** The controller is gone, or this agent ends. */
  stop(): void {
    this.#readers = new Set();
    for (const askId of [...this.#running.keys()]) this.#end(askId);
  }

  #end(askId: string): void {
    this.#running.get(askId)?.abort(new EspalierError('not_ready', 'it was stopped'));
    this.#running.delete(askId);
  }

  async #answer(question: Question): Promise<void> {
    const { askId } = question;
    const abort = new AbortController();
    this.#running.set(askId, abort);
    let doneBytes = 0;
    let waits: string | undefined;
    const beat = setInterval(
      () => this.#options.tell({ kind: 'store-progress', askId, doneBytes, ...(waits && { waits }) }),
      STORE_PROGRESS_MS,
    );
    const tell = (event: StoreEvent) => {
      if (!abort.signal.aborted) this.#options.tell(event);
    };
    try {
      tell(
        await this.#run(question, abort.signal, (bytes, problem) => {
          if (bytes !== undefined) doneBytes = bytes;
          waits = problem?.slice(0, 2_000);
        }),
      );
    } catch (error) {
      const { code, message } = asEspalierError(error);
      if (!abort.signal.aborted) this.#options.log.warn({ code }, `${question.kind}: ${message}`);
      tell({ kind: 'store-failed', askId, code, message: message.slice(0, 2_000) });
    } finally {
      clearInterval(beat);
      this.#running.delete(askId);
    }
  }

  async #run(question: Question, signal: AbortSignal, onProgress: OnProgress): Promise<StoreEvent> {
    const { askId } = question;
    switch (question.kind) {
      case 'store-search':
        return { kind: 'store-found', askId, models: await this.#hub.search(question.text, signal) };
      case 'store-describe':
        return { kind: 'store-described', askId, model: await this.#describe(question, signal) };
      case 'store-import': {
        let read = 0;
        const count = (bytes: number) => {
          read += bytes;
          onProgress(read);
        };
        const model = await importFolder(this.#cache, question.folder, count, signal);
        if (await hasOwnDraft(question.folder))
          this.#options.log.warn(
            `${question.folder} has a draft of its own, which is not stored with it: name it with --draft DIR`,
          );
        return { kind: 'store-described', askId, model };
      }
      case 'store-holds':
        return this.#holds(question);
      case 'store-fetch':
        return { kind: 'store-done', askId, bytes: await this.#fetch(question, signal, onProgress) };
      case 'store-verify':
        return this.#verify(question, signal, onProgress);
      case 'store-remove':
        return { kind: 'store-done', askId, bytes: await this.#cache.remove(question.repo) };
    }
  }

  async #describe({ repo, revision }: Of<'store-describe'>, signal: AbortSignal): Promise<ModelDescription> {
    const model = await this.#hub.describe(repo, revision, signal);
    for (const file of model.files) {
      if (isWeightsFile(file.path)) continue;
      if (file.sizeBytes > MAX_MODEL_TEXT_BYTES) {
        const message = `${file.path} of ${repo} has ${file.sizeBytes} bytes: no model's text files are so large`;
        throw new EspalierError('model_unsupported', message);
      }
      await this.#bring(file.blob, () =>
        fetchBlob(this.#cache, model, file, this.#hub.file(model, file), this.#fetchOptions(signal)),
      );
    }
    await this.#cache.noteRevision(model, revision);
    return model;
  }

  async #holds({ askId, model, files }: Of<'store-holds'>): Promise<StoreEvent> {
    const paths: string[] = [];
    const partial: { path: string; bytes: number }[] = [];
    for (const file of files) {
      if (await this.#cache.holds(model, file)) paths.push(file.path);
      else {
        const bytes = await this.#cache.partialBytes(model.repo, file.blob);
        if (bytes > 0) partial.push({ path: file.path, bytes });
      }
    }
    const freeBytes = await this.#cache.freeBytes();
    return { kind: 'store-held', askId, folder: this.#cache.folder, freeBytes, paths, partial };
  }

  #fetch(
    { model, file, source }: Of<'store-fetch'>,
    signal: AbortSignal,
    onProgress: OnProgress,
  ): Promise<number> {
    // the file and its source are shown beside it
    const onRetry = (problem: string) => onProgress(undefined, problem.replace(/^https?:\/\/\S+ /, ''));
    const options = {
      ...this.#fetchOptions(signal),
      onProgress: (bytes: number) => onProgress(bytes),
      onRetry,
    };
    return this.#bring(file.blob, () => {
      if (source.kind === 'hub') {
        const limit = source.bytesPerSecond === null ? undefined : new RateLimit(source.bytesPerSecond);
        return fetchBlob(this.#cache, model, file, this.#hub.file(model, file), { ...options, limit });
      }
      const { nodeId, key, ways } = source;
      const other = nodeSource({ name: nodeId, key, ways }, this.#options.credentials, model, file);
      const giveUpMs = Math.min(COPY_GIVE_UP_MS, options.times.giveUpMs);
      return fetchBlob(this.#cache, model, file, other, {
        ...options,
        times: { ...options.times, giveUpMs },
      });
    });
  }

  async #verify(
    { askId, model, file }: Of<'store-verify'>,
    signal: AbortSignal,
    onProgress: OnProgress,
  ): Promise<StoreEvent> {
    let read = 0;
    const count = (bytes: number) => {
      read += bytes;
      onProgress(read);
    };
    const isRight = await this.#cache.verify(model, file, count, signal);
    if (isRight) return { kind: 'store-done', askId, bytes: read };
    const what = isRight === undefined ? 'is not there' : 'is damaged, and was taken away';
    const code = isRight === undefined ? 'model_file_missing' : 'model_file_damaged';
    throw new EspalierError(code, `${file.path} of ${model.repo} ${what}`);
  }

  /** While it runs, others may read of it what has come. */
  async #bring<T>(blob: string, task: () => Promise<T>): Promise<T> {
    this.#coming.set(blob, (this.#coming.get(blob) ?? 0) + 1);
    try {
      return await task();
    } finally {
      const left = (this.#coming.get(blob) ?? 1) - 1;
      if (left > 0) this.#coming.set(blob, left);
      else this.#coming.delete(blob);
    }
  }

  #fetchOptions(signal: AbortSignal) {
    const { times = FETCH_TIMES, reserveBytes } = this.#options;
    return { signal, times, ...(reserveBytes !== undefined && { reserveBytes }) };
  }
}
