// One pull: has the agents fetch what the heart (transfers.ts) decides, until every node holds what it is to hold, whatever
// breaks or goes meanwhile. It must not know where needs come from, nor HTTP.
import { setTimeout as delay } from 'node:timers/promises';
import { EspalierError, isErrorCode } from '../../protocol/errors.ts';
import type { Fingerprint } from '../../protocol/identity.ts';
import { DISK_RESERVE_BYTES, PULL_NODE_WAIT_MS } from '../../protocol/limits.ts';
import { type ModelDescription, type ModelRef, totalBytes } from '../../protocol/models.ts';
import type { FileSource, StoreWay } from '../../protocol/store.ts';
import type { NodeNeeds } from './needs.ts';
import { NodeFault } from './node-fault.ts';
import { PullMeter } from './pull-meter.ts';
import { StoreAskFailed, type StoreAsks } from './store-asks.ts';
import { type Fetch, HUB, spaceShortage, Transfers } from './transfers.ts';

/** Nodes that come and go are looked for this often. */
const LOOK_MS = 250;
/** Nodes that need nothing may have what others need: they get this long to say so before the hub is asked. */
const BYSTANDER_WAIT_MS = 2_000;
/** One of them that could not say it is asked again after this long. */
const BYSTANDER_REST_MS = 10_000;
/** Files of one node that are checked at once. */
const CHECKS_AT_ONCE = 2;

/** The nodes as a pull sees them. */
export interface StoreNodes {
  readonly asks: StoreAsks;
  connected(): { id: string; name: string }[];
  nameOf(nodeId: string): string;
  keyOf(nodeId: string): Fingerprint | undefined;
  /** how one node reaches another, the fastest measured way first */
  ways(reader: string, giver: string): StoreWay[];
  /** of data from one node to another, measured */
  gbps(giver: string, reader: string): number | undefined;
  /** does what sends files over the links, while nobody measures them; first measurements come before it */
  whileFetching<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export interface PullOptions {
  model: ModelDescription;
  needs: readonly NodeNeeds[];
  hasHub: boolean;
  /** of all that comes from the hub, together */
  limitBytesPerSecond?: number | undefined;
  /** reads what is there first, and fetches what is damaged anew */
  verifies?: boolean;
  reserveBytes?: number | undefined;
  onDamaged(text: string): void;
  onFetching(): void;
  signal: AbortSignal;
}

export class Pull {
  readonly meter = new PullMeter();
  readonly #nodes: StoreNodes;
  readonly #options: PullOptions;
  readonly #transfers: Transfers;
  /** nodes whose files are known since they were last connected */
  readonly #known = new Set<string>();
  /** nodes that are asked what they have */
  readonly #asked = new Map<string, Promise<void>>();
  /** nodes without a part that could not answer: not waited for, and asked again from a time on */
  readonly #silent = new Map<string, number>();
  readonly #space = new Map<string, { freeBytes: number; folder: string }>();
  readonly #goneSince = new Map<string, number>();
  /** ends what still runs when the pull has ended */
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  #failure: EspalierError | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(nodes: StoreNodes, options: PullOptions) {
    this.#nodes = nodes;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#over.signal]);
    const { needs, hasHub, limitBytesPerSecond } = options;
    this.#transfers = new Transfers({
      needs,
      hasHub,
      // the limit is for all together: one after the other
      ...(limitBytesPerSecond !== undefined && { maxHubFetches: 1 }),
      linkGbps: (from, to) => nodes.gbps(from, to),
    });
  }

  get transfers(): Transfers {
    return this.#transfers;
  }

  /**
   * @throws EspalierError disk_full before anything is fetched, and what ended it; NodeFault where one node is to blame; the
   *   signal's reason
   */
  async run(): Promise<void> {
    try {
      this.#meetNodes();
      const bystanders = this.#answers((nodeId) => !this.#isConcerned(nodeId));
      await this.#answers((nodeId) => this.#isConcerned(nodeId));
      if (!this.#transfers.isDone) await Promise.race([bystanders, delay(BYSTANDER_WAIT_MS)]);
      if (this.#failure) throw this.#failure;
      if (this.#options.verifies) await this.#verifyAll();
      this.#assertSpace();
      if (this.#transfers.isDone) return;
      await this.#nodes.whileFetching(() => this.#untilDone(), this.#signal);
    } finally {
      this.#over.abort(new EspalierError('not_ready', 'the pull has ended'));
    }
  }

  async #untilDone(): Promise<void> {
    while (!this.#transfers.isDone) {
      this.#options.signal.throwIfAborted();
      this.#meetNodes();
      for (const fetch of this.#transfers.next(performance.now())) void this.#fetch(fetch);
      this.#lookForDeadEnds();
      if (this.#failure) throw this.#failure;
      await Promise.race([this.#wake.promise, delay(LOOK_MS)]);
      this.#wake = Promise.withResolvers<void>();
    }
  }

  /** Asks every node that has come what it has, and gives up on those that stay away. Waits for nobody. */
  #meetNodes(): void {
    const connected = this.#nodes.connected();
    for (const nodeId of this.#known) if (!connected.some(({ id }) => id === nodeId)) this.#forget(nodeId);
    for (const { id } of connected) {
      if (this.#known.has(id) || this.#asked.has(id)) continue;
      if ((this.#silent.get(id) ?? 0) > performance.now()) continue;
      const answer = this.#meet(id).finally(() => {
        this.#asked.delete(id);
        this.#wake.resolve();
      });
      this.#asked.set(id, answer);
    }
    const now = performance.now();
    for (const { nodeId } of this.#options.needs) {
      if (this.#known.has(nodeId)) this.#goneSince.delete(nodeId);
      else if (now - (this.#goneSince.get(nodeId) ?? now) > PULL_NODE_WAIT_MS) {
        const message = `${this.#nodes.nameOf(nodeId)} went while the model was pulled, and was not back within ${PULL_NODE_WAIT_MS / 60_000} minutes`;
        this.#failure ??= new NodeFault(nodeId, 'model_fetch_failed', message);
      } else if (!this.#goneSince.has(nodeId)) this.#goneSince.set(nodeId, now);
    }
  }

  async #meet(nodeId: string): Promise<void> {
    const { model } = this.#options;
    const question = { kind: 'store-holds', model: refOf(model), files: model.files } as const;
    try {
      const held = await this.#nodes.asks.ask(nodeId, question, 'store-held', { signal: this.#signal });
      this.#known.add(nodeId);
      this.#silent.delete(nodeId);
      this.#space.set(nodeId, held);
      this.#transfers.nodeConnected(nodeId, held);
    } catch (error) {
      if (!this.#isConcerned(nodeId)) this.#silent.set(nodeId, performance.now() + BYSTANDER_REST_MS);
      // the pull has ended, the node is gone, or it would only have given
      if (!(error instanceof StoreAskFailed) || error.isLost || !this.#isConcerned(nodeId)) return;
      const { code, message } = error.toEspalierError(this.#nodes.nameOf(nodeId));
      this.#failure ??= new NodeFault(nodeId, code, message);
    }
  }

  /** Resolves when those of the nodes that are being asked have answered, or are gone. */
  async #answers(of: (nodeId: string) => boolean): Promise<void> {
    await Promise.all([...this.#asked].flatMap(([nodeId, answer]) => (of(nodeId) ? answer : [])));
  }

  /** Whether it is to hold something of the model. */
  #isConcerned(wanted: string): boolean {
    return this.#options.needs.some(({ nodeId }) => nodeId === wanted);
  }

  #forget(nodeId: string): void {
    this.#known.delete(nodeId);
    this.#transfers.nodeLost(nodeId);
  }

  async #verifyAll(): Promise<void> {
    const { needs, model } = this.#options;
    await Promise.all(
      needs.map(async ({ nodeId, files }) => {
        const missing = new Set(this.#transfers.missing(nodeId).map(({ path }) => path));
        const wait = files.filter(({ path }) => !missing.has(path));
        const checkAll = async () => {
          for (let file = wait.shift(); file; file = wait.shift()) {
            const fetch: Fetch = { nodeId, file, from: nodeId };
            this.meter.began(fetch, 0);
            await this.#check(nodeId, model, file);
            this.meter.ended(fetch, 0);
          }
        };
        await Promise.all(Array.from({ length: CHECKS_AT_ONCE }, checkAll));
      }),
    );
  }

  /** Has a node read a file of its own; what is damaged is named, and is missing from then on. */
  async #check(nodeId: string, { repo, commit }: ModelRef, file: Fetch['file']): Promise<void> {
    const { onDamaged } = this.#options;
    try {
      const question = { kind: 'store-verify', model: { repo, commit }, file } as const;
      await this.#nodes.asks.askLong(nodeId, question, 'store-done', { signal: this.#signal });
    } catch (error) {
      if (!(error instanceof StoreAskFailed)) throw error;
      if (error.isLost) {
        this.#forget(nodeId);
        return;
      }
      this.#transfers.notThere(nodeId, file.path);
      onDamaged(`${file.path} on ${this.#nodes.nameOf(nodeId)}`);
    }
  }

  #assertSpace(): void {
    const { needs, reserveBytes = DISK_RESERVE_BYTES, onFetching } = this.#options;
    const shortages: string[] = [];
    let shortNode: string | undefined;
    for (const { nodeId } of needs) {
      const missing = this.#transfers.missing(nodeId);
      const space = this.#space.get(nodeId);
      if (missing.length > 0) onFetching();
      if (!space) continue;
      const parts = missing.reduce((sum, { path }) => sum + this.#transfers.partialBytes(nodeId, path), 0);
      const bytes = totalBytes(missing) - parts;
      const name = this.#nodes.nameOf(nodeId);
      const short = spaceShortage(name, bytes, space.freeBytes, reserveBytes, space.folder);
      if (short === undefined) continue;
      shortages.push(short);
      shortNode ??= nodeId;
    }
    if (shortNode !== undefined) throw new NodeFault(shortNode, 'disk_full', shortages.join('; '));
  }

  async #fetch(fetch: Fetch): Promise<void> {
    const { nodeId, file } = fetch;
    const { model } = this.#options;
    this.meter.began(fetch, this.#transfers.partialBytes(nodeId, file.path));
    let bytes: number | undefined;
    try {
      const source = this.#source(fetch);
      const question = { kind: 'store-fetch', model: refOf(model), file, source } as const;
      const onProgress = this.meter.progressOf(fetch);
      ({ bytes } = await this.#nodes.asks.askLong(nodeId, question, 'store-done', {
        onProgress,
        signal: this.#signal,
      }));
      this.#transfers.fetched(nodeId, file.path);
    } catch (error) {
      this.#fetchFailed(fetch, error);
    } finally {
      this.meter.ended(fetch, bytes);
      this.#wake.resolve();
    }
  }

  #fetchFailed(fetch: Fetch, error: unknown): void {
    const { nodeId, file, from } = fetch;
    if (!(error instanceof StoreAskFailed)) return; // it was cancelled
    if (error.isLost) {
      this.#forget(nodeId);
      return;
    }
    const failure = this.#transfers.failed(nodeId, file.path, error, performance.now());
    if (failure) {
      const code = isErrorCode(failure.code) ? failure.code : 'internal';
      const message = `${this.#nodes.nameOf(nodeId)}: ${failure.message}`;
      // what a hub refuses it refuses to all
      const isOfNode = code === 'disk_full' || code === 'home_not_writable';
      this.#failure ??= isOfNode ? new NodeFault(nodeId, code, message) : new EspalierError(code, message);
    } else if (error.code === 'model_file_damaged') {
      // as it came it was wrong: is it wrong there?
      void this.#check(from, this.#options.model, file).catch(() => undefined);
    }
  }

  #source({ nodeId, from }: Fetch): FileSource {
    if (from === HUB) return { kind: 'hub', bytesPerSecond: this.#options.limitBytesPerSecond ?? null };
    const key = this.#nodes.keyOf(from);
    const ways = this.#nodes.ways(nodeId, from);
    if (key === undefined || ways.length === 0)
      throw new StoreAskFailed('model_fetch_failed', 'the other node is gone', false);
    return { kind: 'node', nodeId: this.#nodes.nameOf(from), key, ways: ways.slice(0, 8) };
  }

  #lookForDeadEnds(): void {
    if (this.#transfers.running.length > 0) return;
    const [path] = this.#transfers.unobtainable;
    // who is still to answer may have it
    const isSomebodyAway =
      [...this.#asked.keys()].some((nodeId) => !this.#silent.has(nodeId)) ||
      this.#options.needs.some(({ nodeId }) => !this.#known.has(nodeId));
    if (path === undefined || isSomebodyAway) return;
    const message = `no connected node holds ${path} of ${this.#options.model.repo}, and no hub has it`;
    this.#failure ??= new EspalierError('model_file_missing', message);
  }
}

function refOf({ repo, commit }: ModelRef): ModelRef {
  return { repo, commit };
}
