// Which nodes and ways are left alone for a while, because they failed a short while ago. A node that comes and goes
// must not pull the whole cluster along each time. Pure: it is told the time.

import type { LayerRange } from '../../protocol/plan.ts';
import type { HopPath } from '../links/hop-path.ts';

/** A node that failed rests for this long, twice as long each time that it fails again, up to the limit. */
const FIRST_REST_MS = 5_000;
const MAX_REST_MS = 600_000;
/** What could not be loaded will hardly load a moment later. */
const LOAD_REST_MS = 60_000;
/** Failures that lie back further than this are forgotten. */
const MEMORY_MS = 600_000;
/** So many crashes of one layer range on one node within MEMORY_MS are no accident. */
const MAX_CRASHES = 3;
/** A way that went silent is not taken again for this long; it is measured anew before. */
const WAY_REST_MS = 120_000;
/** What an agent was not started to listen on. */
const REFUSED_REST_MS = 86_400_000;

export class Mistrust {
  readonly #nodes = new Map<string, { failures: number; lastAt: number; until: number }>();
  /** times of crashes, by node and range */
  readonly #crashes = new Map<string, number[]>();
  readonly #ways = new Map<string, { ends: string[]; until: number }>();
  readonly #refused = new Map<string, number>();

  /** A node was lost while it held a stage. */
  nodeLost(nodeId: string, now: number): void {
    this.#rest(nodeId, FIRST_REST_MS, now);
  }

  /** A stage could not be loaded on a node. */
  couldNotLoad(nodeId: string, now: number): void {
    this.#rest(nodeId, LOAD_REST_MS, now);
  }

  /**
   * A stage that worked has crashed. @returns whether it is one too many: the node rests then
   */
  crashed(nodeId: string, range: LayerRange, now: number): boolean {
    const key = `${nodeId} ${range.start}-${range.end}`;
    const times = [...(this.#crashes.get(key) ?? []).filter((at) => now - at < MEMORY_MS), now];
    const isTooMany = times.length >= MAX_CRASHES;
    this.#crashes.set(key, isTooMany ? [] : times);
    if (isTooMany) this.#rest(nodeId, MAX_REST_MS, now);
    return isTooMany;
  }

  /** No hop takes this way for a while. */
  waySilent(path: HopPath, now: number): void {
    this.#ways.set(keyOf(path), { ends: [path.from, path.to], until: now + WAY_REST_MS });
  }

  /** It was the node that was silent, not the ways to it. */
  waysForgiven(nodeId: string): void {
    for (const [key, { ends }] of this.#ways) if (ends.includes(nodeId)) this.#ways.delete(key);
  }

  /** An agent may not listen there, as long as it is not started anew with other options. */
  wayRefused(path: HopPath, now: number): void {
    this.#refused.set(keyOf(path), now + REFUSED_REST_MS);
  }

  isNodeResting(nodeId: string, now: number): boolean {
    return (this.#nodes.get(nodeId)?.until ?? 0) > now;
  }

  isWayResting(path: HopPath, now: number): boolean {
    const key = keyOf(path);
    return Math.max(this.#ways.get(key)?.until ?? 0, this.#refused.get(key) ?? 0) > now;
  }

  #rest(nodeId: string, firstMs: number, now: number): void {
    const before = this.#nodes.get(nodeId);
    const failures = before && now - before.lastAt < MEMORY_MS ? before.failures + 1 : 1;
    const restMs = Math.min(firstMs * 2 ** (failures - 1), MAX_REST_MS);
    this.#nodes.set(nodeId, { failures, lastAt: now, until: now + restMs });
  }
}

function keyOf({ from, to, localAddress, listenAddress }: HopPath): string {
  return [from, to, localAddress, listenAddress].join(' ');
}
