// The heart of a pull: who fetches which file from whom, so that each byte comes from the hub once and nobody waits where
// he could read. Without I/O and without a clock: what happened in, what is to be done out.
import type { ErrorCode } from '../../protocol/errors.ts';
import { MAX_HUB_FETCHES, MAX_NODE_FETCHES } from '../../protocol/limits.ts';
import type { ModelFile } from '../../protocol/models.ts';
import type { NodeNeeds } from './needs.ts';

/** A copy that failed is not tried again between the same two nodes at once; after so many times the hub may be asked. */
const COPY_RETRY_MS = 2_000;
const MAX_COPY_FAILURES = 3;
/** What keeps any source from being used again. */
const FATAL: ReadonlySet<string> = new Set<ErrorCode>([
  'disk_full',
  'home_not_writable',
  'model_access_denied',
]);
/** A link that was not measured: gigabit Ethernet is what most homes have. */
const UNKNOWN_GBPS = 1;

export const HUB = 'hub';

/** A fetch that is to be started: `from` is HUB or a node's id. */
export interface Fetch {
  nodeId: string;
  file: ModelFile;
  from: string;
}

interface PullNode {
  isConnected: boolean;
  needs: Set<string>;
  has: Set<string>;
  partial: Map<string, number>;
}

export interface TransfersOptions {
  needs: readonly NodeNeeds[];
  /** whether there is a hub behind it: a folder's files are on nodes alone */
  hasHub: boolean;
  maxHubFetches?: number;
  /** of data that goes from one node to another, measured; undefined where it was not */
  linkGbps?: (from: string, to: string) => number | undefined;
}

/** Why a pull cannot go on. */
export interface TransferFailure {
  code: string;
  message: string;
  nodeId: string;
}

export class Transfers {
  readonly #files = new Map<string, ModelFile>();
  readonly #nodes = new Map<string, PullNode>();
  readonly #running = new Map<string, Fetch>();
  readonly #copyFailures = new Map<string, { count: number; notBefore: number }>();
  readonly #hubBytes = new Map<string, number>();
  readonly #options: TransfersOptions;

  constructor(options: TransfersOptions) {
    this.#options = options;
    for (const { nodeId, files } of options.needs) {
      for (const file of files) this.#files.set(file.path, file);
      this.#nodes.set(nodeId, { ...newNode(), needs: new Set(files.map(({ path }) => path)) });
    }
  }

  /** A node is there, with these files and parts of files; it may be a source only. */
  nodeConnected(
    nodeId: string,
    held: { paths: readonly string[]; partial: readonly { path: string; bytes: number }[] },
  ): void {
    const node = this.#nodes.get(nodeId) ?? newNode();
    this.#nodes.set(nodeId, {
      ...node,
      isConnected: true,
      has: new Set(held.paths),
      partial: new Map(held.partial.map(({ path, bytes }) => [path, bytes])),
    });
  }

  /** What ran on it has ended. */
  nodeLost(nodeId: string): void {
    const node = this.#nodes.get(nodeId);
    if (node) node.isConnected = false;
    for (const [key, { nodeId: to }] of this.#running) if (to === nodeId) this.#running.delete(key);
  }

  fetched(nodeId: string, path: string): void {
    this.#running.delete(keyOf(nodeId, path));
    this.#nodes.get(nodeId)?.has.add(path);
  }

  /** @returns why the whole pull cannot go on; undefined where something else can be tried */
  failed(
    nodeId: string,
    path: string,
    { code, message }: { code: string; message: string },
    now: number,
  ): TransferFailure | undefined {
    const fetch = this.#running.get(keyOf(nodeId, path));
    this.#running.delete(keyOf(nodeId, path));
    if (!fetch) return undefined;
    if (FATAL.has(code) || fetch.from === HUB) return { code, message, nodeId };
    const pair = pairOf(path, fetch.from, nodeId);
    const count = (this.#copyFailures.get(pair)?.count ?? 0) + 1;
    this.#copyFailures.set(pair, { count, notBefore: now + COPY_RETRY_MS });
    return undefined;
  }

  /** A file turned out to be damaged, or gone, where it was said to be. */
  notThere(nodeId: string, path: string): void {
    this.#nodes.get(nodeId)?.has.delete(path);
  }

  get isDone(): boolean {
    return [...this.#nodes.keys()].every((nodeId) => this.missing(nodeId).length === 0);
  }

  /** Files that a node needs and does not have. */
  missing(nodeId: string): ModelFile[] {
    const node = this.#nodes.get(nodeId);
    if (!node) return [];
    return [...node.needs]
      .filter((path) => !node.has.has(path))
      .flatMap((path) => this.#files.get(path) ?? []);
  }

  /** Bytes of a file that a node has gathered, when it was last asked. */
  partialBytes(nodeId: string, path: string): number {
    return this.#nodes.get(nodeId)?.partial.get(path) ?? 0;
  }

  get running(): Fetch[] {
    return [...this.#running.values()];
  }

  /** Files that somebody needs and that nobody has, is fetching, or could fetch. */
  get unobtainable(): string[] {
    if (this.#options.hasHub) return [];
    const needed = new Set([...this.#nodes.keys()].flatMap((id) => this.missing(id).map(({ path }) => path)));
    return [...needed].filter((path) => !this.#isSomewhere(path));
  }

  /** The fetches that are to be started now; they run from here on. One file a node at a time, so that all get their share. */
  next(now: number): Fetch[] {
    const started: Fetch[] = [];
    for (let hasMore = true; hasMore; ) {
      hasMore = false;
      for (const nodeId of this.#nodes.keys()) {
        const fetch = this.#nextOf(nodeId, now);
        if (!fetch) continue;
        this.#running.set(keyOf(nodeId, fetch.file.path), fetch);
        if (fetch.from === HUB)
          this.#hubBytes.set(nodeId, (this.#hubBytes.get(nodeId) ?? 0) + fetch.file.sizeBytes);
        started.push(fetch);
        hasMore = true;
      }
    }
    return started;
  }

  #nextOf(nodeId: string, now: number): Fetch | undefined {
    const node = this.#nodes.get(nodeId);
    if (!node?.isConnected || this.#fetchesOf(nodeId) >= MAX_NODE_FETCHES) return undefined;
    for (const file of this.missing(nodeId)) {
      if (this.#running.has(keyOf(nodeId, file.path))) continue;
      const from = this.#sourceFor(nodeId, file.path, now);
      if (from !== undefined) return { nodeId, file, from };
    }
    return undefined;
  }

  /** @returns undefined where it is to wait */
  #sourceFor(to: string, path: string, now: number): string | undefined {
    const others = [...this.#nodes.keys()].filter((from) => from !== to && this.#canGive(from, to, path));
    const willing = others.filter((from) => (this.#failure(path, from, to)?.notBefore ?? 0) <= now);
    const [best] = willing
      .map((from) => ({ from, score: this.#gbps(from, to) / (1 + this.#readsOf(from)) }))
      .sort((a, b) => b.score - a.score);
    // each further reader of one source halves what all get: a chain of readers gets it all
    const isHopeless = others.every(
      (from) => (this.#failure(path, from, to)?.count ?? 0) >= MAX_COPY_FAILURES,
    );
    if (best && !isHopeless) return best.from;
    if (others.length > 0 && !isHopeless) return undefined;
    return this.#hubFor(to, path, isHopeless && others.length > 0);
  }

  /** The hub, where it is this node's turn to ask it. */
  #hubFor(to: string, path: string, isLastResort: boolean): string | undefined {
    const { hasHub, maxHubFetches = MAX_HUB_FETCHES } = this.#options;
    if (!hasHub || this.running.filter(({ from }) => from === HUB).length >= maxHubFetches) return undefined;
    if (isLastResort) return HUB;
    // somebody is on it, from whom this node will be able to read
    if (this.running.some(({ file }) => file.path === path)) return undefined;
    const candidates = [...this.#nodes].filter(
      ([id, { isConnected }]) =>
        isConnected &&
        this.#fetchesOf(id) < MAX_NODE_FETCHES &&
        this.missing(id).some((file) => file.path === path),
    );
    const [first] = candidates
      .map(([id]) => ({ id, partial: this.partialBytes(id, path), hub: this.#hubBytes.get(id) ?? 0 }))
      .sort((a, b) => b.partial - a.partial || a.hub - b.hub);
    return first?.id === to ? HUB : undefined;
  }

  /** It has the file, or fetches it, and not by way of the one that asks. */
  #canGive(from: string, to: string, path: string): boolean {
    const node = this.#nodes.get(from);
    if (!node?.isConnected) return false;
    if (node.has.has(path)) return true;
    let source = this.#running.get(keyOf(from, path))?.from;
    for (let hops = 0; source !== undefined && hops <= this.#nodes.size; hops += 1) {
      if (source === to) return false;
      if (source === HUB || this.#nodes.get(source)?.has.has(path)) return true;
      source = this.#running.get(keyOf(source, path))?.from;
    }
    return false;
  }

  #isSomewhere(path: string): boolean {
    return [...this.#nodes.values()].some(({ isConnected, has }) => isConnected && has.has(path));
  }

  #gbps(from: string, to: string): number {
    return this.#options.linkGbps?.(from, to) ?? UNKNOWN_GBPS;
  }

  #fetchesOf(nodeId: string): number {
    return this.running.filter((fetch) => fetch.nodeId === nodeId).length;
  }

  #readsOf(nodeId: string): number {
    return this.running.filter(({ from }) => from === nodeId).length;
  }

  #failure(path: string, from: string, to: string): { count: number; notBefore: number } | undefined {
    return this.#copyFailures.get(pairOf(path, from, to));
  }
}

/** What each node lacks in space, with the arithmetic. @param missingBytes that it is still to receive */
export function spaceShortage(
  node: string,
  missingBytes: number,
  freeBytes: number,
  reserveBytes: number,
  folder: string,
): string | undefined {
  const shortBytes = missingBytes + reserveBytes - freeBytes;
  if (missingBytes === 0 || shortBytes <= 0) return undefined;
  const gb = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
  return (
    `${node} is to receive ${gb(missingBytes)}, and ${gb(reserveBytes)} stay free, but the disk of ${folder} has ` +
    `${gb(freeBytes)}: ${gb(shortBytes)} are missing`
  );
}

function newNode(): PullNode {
  return { isConnected: false, needs: new Set(), has: new Set(), partial: new Map() };
}

function keyOf(nodeId: string, path: string): string {
  return `${nodeId} ${path}`;
}

function pairOf(path: string, from: string, to: string): string {
  return `${path} ${from} ${to}`;
}
