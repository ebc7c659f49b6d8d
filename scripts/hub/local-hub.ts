// A hub on this machine: folders as repositories, spoken for in the words of huggingface.co, with faults on demand and a count
// of what went out. For tests, benches and the lab.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Larger files are stored as Git LFS does, and are named by their sha256. */
const LFS_BYTES = 100_000;
const CHUNK_BYTES = 64 * 1024;

export interface HubFile {
  path: string;
  sizeBytes: number;
  isLfs: boolean;
  /** sha256 of LFS files, git's blob hash of others */
  oid: string;
}

/** What becomes of one request for a file's bytes. */
export type HubFault =
  /** answers so instead */
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  /** closes the connection after so many bytes */
  | { kind: 'cut'; afterBytes: number }
  /** sends so many bytes and then nothing, with the connection open */
  | { kind: 'stall'; afterBytes: number }
  /** sends another byte at this place of the file */
  | { kind: 'corrupt'; atByte: number };

/** A request for a file's bytes, as a fault sees it. */
export interface HubRequest {
  path: string;
  fromByte: number;
  /** for this file, counted from 1 */
  nth: number;
}

export interface LocalHubOptions {
  /** repositories by name: folders */
  repos: Record<string, string>;
  host?: string;
  port?: number;
  /** of all answers together */
  bytesPerSecond?: number;
  fault?: (request: HubRequest) => HubFault | undefined;
  /** without it everybody may read */
  token?: string;
}

interface Repo {
  folder: string;
  commit: string;
  files: HubFile[];
}

export class LocalHub {
  readonly url: string;
  /** of files' bodies, by path; ranges counted as they were sent */
  readonly sentBytes = new Map<string, number>();
  readonly #server: Server;
  readonly #repos: ReadonlyMap<string, Repo>;
  readonly #options: LocalHubOptions;
  readonly #asked = new Map<string, number>();
  #nextSendAt = 0;
  fault: LocalHubOptions['fault'];

  private constructor(server: Server, repos: ReadonlyMap<string, Repo>, options: LocalHubOptions) {
    this.#server = server;
    this.#repos = repos;
    this.#options = options;
    this.fault = options.fault;
    const { port } = server.address() as AddressInfo;
    this.url = `http://${options.host ?? '127.0.0.1'}:${port}`;
  }

  static async up(options: LocalHubOptions): Promise<LocalHub> {
    const repos = new Map<string, Repo>();
    for (const [name, folder] of Object.entries(options.repos)) repos.set(name, await readRepo(folder));
    const server = createServer((request, response) => {
      hub.#answer(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) =>
      server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve),
    );
    const hub: LocalHub = new LocalHub(server, repos, options);
    return hub;
  }

  files(repo: string): readonly HubFile[] {
    return this.#repos.get(repo)?.files ?? [];
  }

  commit(repo: string): string {
    return this.#repos.get(repo)?.commit ?? '';
  }

  /** Of all files' bodies. */
  get totalSentBytes(): number {
    return [...this.sentBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  async down(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://hub');
    const { token } = this.#options;
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
      return json(response, 401, { error: 'Invalid credentials' });
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead) return json(response, 405, { error: 'read only' });
    if (pathname === '/-/sent') return json(response, 200, { totalBytes: this.totalSentBytes });
    if (pathname === '/api/models')
      return json(response, 200, this.#search(searchParams.get('search') ?? ''));
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)/.exec(pathname);
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    const content = /^\/content\/([^/]+\/[^/]+)\/(.+)$/.exec(pathname);
    const name = decodeURIComponent((api ?? file ?? content)?.[1] ?? '');
    const repo = this.#repos.get(name);
    if (!repo) return json(response, 404, { error: 'Repository not found' });
    const revision = decodeURIComponent((api?.[3] ?? file?.[2]) || repo.commit);
    if (!['main', 'HEAD', repo.commit].includes(revision))
      return json(response, 404, { error: 'Invalid rev id' });
    if (api?.[2] === 'revision') return json(response, 200, this.#info(name, repo));
    if (api) return json(response, 200, repo.files.map(treeEntry));
    const path = file?.[3] ?? content?.[2] ?? '';
    const found = repo.files.find((each) => each.path === path);
    if (!found) return json(response, 404, { error: 'Entry not found' });
    // large files lie elsewhere, and the hub sends people there
    if (file && found.isLfs) {
      response.writeHead(302, {
        location: `/content/${name}/${path}`,
        'x-linked-etag': `"${found.oid}"`,
        'x-linked-size': String(found.sizeBytes),
        'x-repo-commit': repo.commit,
      });
      response.end();
      return undefined;
    }
    return this.#send(request, response, repo, found);
  }

  async #send(request: IncomingMessage, response: ServerResponse, repo: Repo, file: HubFile): Promise<void> {
    const { path, sizeBytes, oid } = file;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const fromByte = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Math.min(Number(range[2]) + 1, sizeBytes) : sizeBytes;
    const nth = (this.#asked.get(path) ?? 0) + 1;
    this.#asked.set(path, nth);
    const fault = this.fault?.({ path, fromByte, nth });
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, fault.headers).end();
      return;
    }
    if (fromByte > 0 && fromByte >= sizeBytes) {
      response.writeHead(416, { 'content-range': `bytes */${sizeBytes}` }).end();
      return;
    }
    response.writeHead(range ? 206 : 200, {
      etag: `"${oid}"`,
      'accept-ranges': 'bytes',
      'content-length': String(end - fromByte),
      ...(range && { 'content-range': `bytes ${fromByte}-${Math.max(fromByte, end - 1)}/${sizeBytes}` }),
    });
    response.flushHeaders();
    await this.#pour(response, join(repo.folder, path), file, { fromByte, end }, fault);
  }

  async #pour(
    response: ServerResponse,
    from: string,
    { path }: HubFile,
    { fromByte, end }: { fromByte: number; end: number },
    fault: Exclude<HubFault, { kind: 'status' }> | undefined,
  ): Promise<void> {
    const handle = await open(from, 'r');
    try {
      for (let at = fromByte; at < end && !response.destroyed; ) {
        const sent = at - fromByte;
        let length = Math.min(CHUNK_BYTES, end - at);
        if (fault && 'afterBytes' in fault) length = Math.min(length, fault.afterBytes - sent);
        if (fault && length <= 0) {
          if (fault.kind === 'cut') response.destroy();
          else await new Promise((resolve) => response.once('close', resolve));
          return;
        }
        const chunk = Buffer.alloc(length);
        await handle.read(chunk, 0, length, at);
        if (fault?.kind === 'corrupt' && fault.atByte >= at && fault.atByte < at + length)
          chunk[fault.atByte - at] = (chunk[fault.atByte - at] ?? 0) ^ 0xff;
        await this.#pace(length);
        this.sentBytes.set(path, (this.sentBytes.get(path) ?? 0) + length);
        if (!response.write(chunk)) await roomOrEnd(response);
        at += length;
      }
      response.end();
    } finally {
      await handle.close();
    }
  }

  async #pace(bytes: number): Promise<void> {
    const { bytesPerSecond } = this.#options;
    if (bytesPerSecond === undefined) return;
    const now = performance.now();
    this.#nextSendAt = Math.max(this.#nextSendAt, now) + (bytes * 1000) / bytesPerSecond;
    const waitMs = this.#nextSendAt - now;
    // shorter waits than a timer can do add up to one
    if (waitMs > 4) await delay(waitMs);
  }

  #search(text: string): object[] {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return [...this.#repos]
      .filter(([name]) => words.every((word) => name.toLowerCase().includes(word)))
      .map(([name, repo]) => this.#info(name, repo));
  }

  #info(name: string, { commit }: Repo): object {
    return {
      _id: commit.slice(0, 24),
      id: name,
      modelId: name,
      sha: commit,
      private: false,
      gated: false,
      downloads: 7,
      likes: 1,
      tags: ['mlx', 'license:mit'],
      lastModified: '2026-01-01T00:00:00.000Z',
    };
  }
}

async function readRepo(folder: string): Promise<Repo> {
  const files: HubFile[] = [];
  for (const path of (await readdir(folder)).sort()) {
    const { size, mode } = await stat(join(folder, path));
    if ((mode & 0o170000) !== 0o100000) continue;
    const isLfs = size > LFS_BYTES;
    files.push({ path, sizeBytes: size, isLfs, oid: await oidOf(join(folder, path), size, isLfs) });
  }
  const list = files.map(({ path, oid }) => `${path} ${oid}`).join('\n');
  return { folder, files, commit: createHash('sha1').update(list).digest('hex') };
}

async function oidOf(path: string, size: number, isLfs: boolean): Promise<string> {
  if (!isLfs)
    return createHash('sha1')
      .update(`blob ${size}\0`)
      .update(await readFile(path))
      .digest('hex');
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function roomOrEnd(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off('drain', go).off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
    if (response.destroyed) go();
  });
}

function treeEntry({ path, sizeBytes, isLfs, oid }: HubFile): object {
  const common = { type: 'file', path, size: sizeBytes };
  if (!isLfs) return { ...common, oid };
  return { ...common, oid: '0'.repeat(40), lfs: { oid, size: sizeBytes, pointerSize: 134 } };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
