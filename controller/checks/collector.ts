// Asks all nodes to check themselves, with a deadline. It knows no sockets and does not look into what they find.
import type { NodeCheck } from '../../protocol/doctor.ts';
import { CHECK_TIMEOUT_MS } from '../../protocol/limits.ts';

/** An answer, and how far the node's clock is ahead of ours, in error by at most the time that the answer travelled. */
export interface ReceivedCheck {
  check: NodeCheck;
  clockAheadMs: number;
}

interface Asking {
  told: Map<string, ReceivedCheck>;
  /** nodes that have not answered */
  open: Set<string>;
  done: PromiseWithResolvers<ReadonlyMap<string, ReceivedCheck>>;
}

export class CheckCollector {
  readonly #ask: (nodeId: string) => void;
  readonly #timeoutMs: number;
  #asking: Asking | undefined;

  constructor(ask: (nodeId: string) => void, timeoutMs = CHECK_TIMEOUT_MS) {
    this.#ask = ask;
    this.#timeoutMs = timeoutMs;
  }

  /** What every node that answers in time has found, by its id. Whoever asks meanwhile gets the same answers. */
  collect(nodeIds: readonly string[]): Promise<ReadonlyMap<string, ReceivedCheck>> {
    if (this.#asking) return this.#asking.done.promise;
    const asking: Asking = { told: new Map(), open: new Set(nodeIds), done: Promise.withResolvers() };
    this.#asking = asking;
    const timer = setTimeout(() => this.#finish(), this.#timeoutMs);
    asking.done.promise.then(() => clearTimeout(timer));
    for (const nodeId of nodeIds) this.#ask(nodeId);
    if (asking.open.size === 0) this.#finish();
    return asking.done.promise;
  }

  /** @param check null when it could not be read. What nobody asked for is dropped. */
  receive(nodeId: string, check: NodeCheck | null): void {
    if (!this.#asking?.open.delete(nodeId)) return;
    if (check) this.#asking.told.set(nodeId, { check, clockAheadMs: check.at - Date.now() });
    if (this.#asking.open.size === 0) this.#finish();
  }

  /** A node that is gone will not answer. */
  forget(nodeId: string): void {
    this.receive(nodeId, null);
  }

  #finish(): void {
    this.#asking?.done.resolve(this.#asking.told);
    this.#asking = undefined;
  }
}
