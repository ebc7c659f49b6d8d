// The hub: what it says of repositories, and their files' bytes. Everything that is asked is asked again while the hub is
// busy or away. It must not know the disk.
import { STATUS_CODES } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { asEspalierError, EspalierError } from '../../protocol/errors.ts';
import { FETCH_RETRY_MS, FETCH_STALL_MS, MAX_FETCH_RETRY_MS } from '../../protocol/limits.ts';
import {
  type FoundModel,
  ModelDescription,
  type ModelFile,
  ModelFileName,
  type ModelRef,
} from '../../protocol/models.ts';
import { type ByteSource, SourceError } from './byte-source.ts';
import type { HubSettings } from './hub-settings.ts';

/** Tries of a question that takes no file's bytes; they take a minute at most. */
const QUESTION_TRIES = 6;
const MAX_FOUND = 50;

export class Hub {
  readonly #settings: HubSettings;

  constructor(settings: HubSettings) {
    this.#settings = settings;
  }

  /** Models of MLX whose names have these words, the most downloaded first. @throws EspalierError as `describe` does */
  async search(text: string, signal: AbortSignal): Promise<FoundModel[]> {
    const { listModels } = await import('@huggingface/hub');
    const found: FoundModel[] = [];
    try {
      const question = {
        search: { query: text, tags: ['mlx'] },
        sort: 'downloads' as const,
        limit: MAX_FOUND,
      };
      for await (const model of listModels({ ...question, ...this.#params(signal) })) {
        found.push({
          repo: model.name,
          downloads: model.downloads ?? null,
          likes: model.likes ?? null,
          updatedAt: Number.isNaN(model.updatedAt.getTime()) ? null : model.updatedAt.toISOString(),
          isGated: model.gated !== false,
        });
      }
    } catch (error) {
      throw this.#failure(error, `searching for "${text}"`, signal);
    }
    return found;
  }

  /**
   * A repository at the commit that a revision stands for now, with those of its files that a model consists of.
   * @throws EspalierError model_not_on_hub, model_access_denied, model_fetch_failed; the signal's reason
   */
  async describe(repo: string, revision: string, signal: AbortSignal): Promise<ModelDescription> {
    const { listFiles, modelInfo } = await import('@huggingface/hub');
    try {
      const info = await modelInfo({
        name: repo,
        revision,
        additionalFields: ['sha', 'tags'],
        ...this.#params(signal),
      });
      const files: ModelFile[] = [];
      for await (const entry of listFiles({ repo, revision: info.sha, ...this.#params(signal) })) {
        if (entry.type !== 'file' || !ModelFileName.safeParse(entry.path).success) continue;
        const blob = entry.lfs?.oid ?? entry.oid;
        if (blob === undefined) continue;
        files.push({ path: entry.path, sizeBytes: entry.lfs?.size ?? entry.size, blob });
      }
      const licence = info.tags?.find((tag) => tag.startsWith('license:'))?.slice('license:'.length) ?? null;
      const described = ModelDescription.safeParse({ repo, commit: info.sha, files, licence });
      if (described.success) return described.data;
      const message = `${repo} at ${this.#settings.endpoint} holds no model that can be read: ${described.error.issues[0]?.message}`;
      throw new EspalierError('model_unsupported', message);
    } catch (error) {
      throw this.#failure(error, repo, signal);
    }
  }

  /** The bytes of a file; nobody but `open` asks again. */
  file({ repo, commit }: ModelRef, { path, sizeBytes }: ModelFile): ByteSource {
    const { endpoint } = this.#settings;
    const url = `${endpoint}/${repo}/resolve/${commit}/${path}`;
    return {
      name: 'the hub',
      open: async (fromByte, signal) => {
        const response = await this.#get(url, { range: `bytes=${fromByte}-` }, signal);
        const { status } = response;
        if (status === 206) {
          const begin = Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]);
          if (begin !== fromByte)
            throw await refuse(response, `${url} answered another range than was asked for`);
          return { fromByte, bytes: bodyOf(response) };
        }
        if (status === 200) return { fromByte: 0, bytes: bodyOf(response) };
        if (status === 416 && fromByte >= sizeBytes) return { fromByte, bytes: bodyOf(response) };
        throw await this.#refusal(response, url);
      },
    };
  }

  /** Some bytes of a file. @throws SourceError; the signal's reason */
  async range(
    model: ModelRef,
    path: string,
    begin: number,
    end: number,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const url = `${this.#settings.endpoint}/${model.repo}/resolve/${model.commit}/${path}`;
    const ask = this.#patientFetch(signal);
    const range = `bytes=${begin}-${end - 1}`;
    const response = await ask(url, { headers: { range, ...this.#headers() } });
    if (response.status !== 206) throw await this.#refusal(response, url);
    const bytes = Buffer.from(await response.arrayBuffer());
    if (bytes.length === end - begin) return bytes;
    throw new SourceError(`${url} ends at byte ${begin + bytes.length}, before ${end}`);
  }

  async #get(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    try {
      return await fetch(url, { headers: { ...headers, ...this.#headers() }, signal });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw new SourceError(`${url} cannot be reached: ${causeOf(error)}`);
    }
  }

  async #refusal(response: Response, url: string): Promise<SourceError> {
    const { status } = response;
    const what = `${url} answers ${status} (${STATUS_CODES[status] ?? 'unknown'})`;
    const isFinal = status >= 400 && status < 500 && status !== 429 && status !== 408;
    const code = status === 404 ? 'model_not_on_hub' : isDenied(status) ? 'model_access_denied' : undefined;
    return refuse(response, what, { isFinal, ...(code && { code }), retryAfterMs: retryAfterMs(response) });
  }

  #headers(): Record<string, string> {
    const token = this.#settings.token();
    // what is counted and resumed are the file's own bytes
    return {
      'accept-encoding': 'identity',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
  }

  #params(signal: AbortSignal) {
    const accessToken = this.#settings.token();
    return {
      hubUrl: this.#settings.endpoint,
      fetch: this.#patientFetch(signal),
      ...(accessToken !== undefined && { accessToken }),
    };
  }

  /** Asks again while the hub is busy, broken or away. */
  #patientFetch(signal: AbortSignal): typeof fetch {
    return async (url, init) => {
      for (let nth = 1; ; nth += 1) {
        const within = AbortSignal.any([signal, AbortSignal.timeout(FETCH_STALL_MS)]);
        let waitMs = FETCH_RETRY_MS * 2 ** (nth - 1);
        try {
          const response = await fetch(url, { ...init, signal: within });
          const isBusy = response.status === 429 || response.status >= 500;
          if (!isBusy || nth >= QUESTION_TRIES) return response;
          waitMs = retryAfterMs(response) ?? waitMs;
          await response.body?.cancel();
        } catch (error) {
          signal.throwIfAborted();
          if (nth >= QUESTION_TRIES) throw error;
        }
        await delay(Math.min(waitMs, MAX_FETCH_RETRY_MS), undefined, { signal });
      }
    };
  }

  #failure(error: unknown, what: string, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (error instanceof EspalierError) return error;
    const { endpoint } = this.#settings;
    const status = (error as { statusCode?: number }).statusCode;
    if (status === 404) return new EspalierError('model_not_on_hub', `${what}: there is none at ${endpoint}`);
    if (isDenied(status))
      return new EspalierError(
        'model_access_denied',
        `${what}: ${endpoint} does not let this node read it (${status})`,
      );
    const reason = status === undefined ? causeOf(error) : `it answers ${status}`;
    return asEspalierError(new Error(`${what}: asking ${endpoint} failed: ${reason}`), 'model_fetch_failed');
  }
}

function isDenied(status: number | undefined): boolean {
  return status === 401 || status === 403;
}

/** `Retry-After` in seconds or as a date; undefined where there is none. */
function retryAfterMs(response: Response): number | undefined {
  const text = response.headers.get('retry-after');
  if (text === null) return undefined;
  const seconds = Number(text);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_FETCH_RETRY_MS) : undefined;
}

async function refuse(
  response: Response,
  message: string,
  how: ConstructorParameters<typeof SourceError>[1] = {},
): Promise<SourceError> {
  await response.body?.cancel().catch(() => undefined);
  return new SourceError(message, how);
}

async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body) yield* response.body;
}

/** `fetch` hides what happened in a cause. */
function causeOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error
    ? `${(cause as NodeJS.ErrnoException).code ?? ''} ${cause.message}`.trim()
    : message;
}
