// How far a pull has come and how fast: from what fetches tell, a picture for people. Every figure is measured, but for the
// time that is left, which is an estimate. It must not know agents.
import type { NodePull, PullProgress } from '../../protocol/models.ts';
import { totalBytes } from '../../protocol/models.ts';
import type { NodeNeeds } from './needs.ts';
import { type Fetch, HUB, type Transfers } from './transfers.ts';

const WINDOW_MS = 10_000;
const SAMPLE_MS = 500;
/** A rate over less than this says little. */
const MIN_WINDOW_MS = 1_500;

interface Running {
  fetch: Fetch;
  doneBytes: number;
  beganWith: number;
  /** why nothing comes */
  waits: string | null;
}

export class PullMeter {
  readonly #running = new Map<string, Running>();
  readonly #samples: { at: number; bytes: number }[] = [];
  #hubBytes = 0;
  #copiedBytes = 0;

  /** @param partialBytes of the file that were there before */
  began(fetch: Fetch, partialBytes: number): void {
    this.#running.set(keyOf(fetch), { fetch, doneBytes: partialBytes, beganWith: partialBytes, waits: null });
  }

  /** Takes what is told of a fetch. @param waits why nothing comes, where that is so */
  progressOf(fetch: Fetch): (doneBytes: number, waits: string | undefined) => void {
    return (doneBytes, waits) => {
      const one = this.#running.get(keyOf(fetch));
      if (one) Object.assign(one, { doneBytes, waits: waits ?? null });
    };
  }

  /** @param bytes that came over the network; undefined where it failed: then those that were told of */
  ended(fetch: Fetch, bytes: number | undefined): void {
    const one = this.#running.get(keyOf(fetch));
    this.#running.delete(keyOf(fetch));
    if (!one) return;
    const moved = bytes ?? Math.max(0, one.doneBytes - one.beganWith);
    if (fetch.from === HUB) this.#hubBytes += moved;
    else this.#copiedBytes += moved;
  }

  /** @param nameOf a node */
  picture(
    needs: readonly NodeNeeds[],
    transfers: Transfers | undefined,
    nameOf: (nodeId: string) => string,
    now: number,
  ): Pick<
    PullProgress,
    'totalBytes' | 'doneBytes' | 'hubBytes' | 'copiedBytes' | 'bytesPerSecond' | 'remainingSeconds' | 'nodes'
  > {
    const nodes = needs.map(({ nodeId, files }) => this.#node(nodeId, files, transfers, nameOf));
    const all = nodes.reduce((sum, node) => sum + node.totalBytes, 0);
    const done = nodes.reduce((sum, node) => sum + node.doneBytes, 0);
    const [hub, copied] = [this.#moved(true), this.#moved(false)];
    const rate = this.#rate(hub + copied, now);
    return {
      totalBytes: all,
      doneBytes: done,
      hubBytes: hub,
      copiedBytes: copied,
      bytesPerSecond: rate,
      remainingSeconds: rate !== null && rate > 0 ? (all - done) / rate : null,
      nodes,
    };
  }

  #node(
    nodeId: string,
    files: NodeNeeds['files'],
    transfers: Transfers | undefined,
    nameOf: (nodeId: string) => string,
  ): NodePull {
    const missing = transfers?.missing(nodeId) ?? files;
    const active = [...this.#running.values()].filter(({ fetch }) => fetch.nodeId === nodeId);
    const isActive = (path: string) => active.some(({ fetch }) => fetch.file.path === path);
    const parts = missing
      .filter(({ path }) => !isActive(path))
      .reduce((sum, { path }) => sum + (transfers?.partialBytes(nodeId, path) ?? 0), 0);
    const total = totalBytes(files);
    const moving = active.reduce((sum, { doneBytes }) => sum + doneBytes, 0);
    return {
      nodeId,
      node: nameOf(nodeId),
      totalBytes: total,
      doneBytes: Math.min(total, total - totalBytes(missing) + parts + moving),
      files: files.length,
      filesDone: files.length - missing.length,
      active: active.map(({ fetch: { file, from }, doneBytes, waits }) => ({
        path: file.path,
        sizeBytes: file.sizeBytes,
        doneBytes,
        from: from === HUB ? HUB : nameOf(from),
        waits,
      })),
      waits:
        missing.length > 0 && active.length === 0 ? 'waits for its turn, or for a node to come back' : null,
    };
  }

  #moved(isHub: boolean): number {
    let bytes = isHub ? this.#hubBytes : this.#copiedBytes;
    for (const { fetch, doneBytes, beganWith } of this.#running.values())
      if ((fetch.from === HUB) === isHub) bytes += Math.max(0, doneBytes - beganWith);
    return bytes;
  }

  #rate(bytes: number, now: number): number | null {
    const last = this.#samples.at(-1);
    if (!last || now - last.at >= SAMPLE_MS) this.#samples.push({ at: now, bytes });
    while ((this.#samples[1]?.at ?? now) < now - WINDOW_MS) this.#samples.shift();
    const [first] = this.#samples;
    if (!first || now - first.at < MIN_WINDOW_MS) return null;
    return Math.max(0, ((bytes - first.bytes) * 1000) / (now - first.at));
  }
}

function keyOf({ nodeId, file }: Fetch): string {
  return `${nodeId} ${file.path}`;
}
