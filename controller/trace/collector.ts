// Asks the stages of a deployment for their last steps, with a deadline: a stage answers between two steps, and one that
// hangs never. It knows no sockets and does not look into the steps.
import { TRACE_TIMEOUT_MS } from '../../protocol/limits.ts';
import type { TracedSteps } from '../../protocol/trace.ts';

interface Asking {
  epoch: number;
  told: Map<string, TracedSteps>;
  /** nodes that have not answered */
  open: Set<string>;
  done: PromiseWithResolvers<ReadonlyMap<string, TracedSteps>>;
}

export class TraceCollector {
  readonly #ask: (epoch: number, nodeId: string) => void;
  readonly #timeoutMs: number;
  #asking: Asking | undefined;

  constructor(ask: (epoch: number, nodeId: string) => void, timeoutMs = TRACE_TIMEOUT_MS) {
    this.#ask = ask;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The steps of every stage that answers in time, by the node's id. Whoever asks meanwhile gets the same answers, so
   * that the nodes are never asked twice at once.
   */
  collect(epoch: number, nodeIds: readonly string[]): Promise<ReadonlyMap<string, TracedSteps>> {
    if (this.#asking?.epoch === epoch) return this.#asking.done.promise;
    this.#finish(); // of an epoch that is over: nobody will answer any more
    const asking: Asking = {
      epoch,
      told: new Map(),
      open: new Set(nodeIds),
      done: Promise.withResolvers(),
    };
    this.#asking = asking;
    const timer = setTimeout(() => {
      if (this.#asking === asking) this.#finish();
    }, this.#timeoutMs);
    asking.done.promise.then(() => clearTimeout(timer));
    for (const nodeId of asking.open) this.#ask(epoch, nodeId);
    return asking.done.promise;
  }

  /** A stage has told its steps. What nobody asked for is dropped. */
  receive(epoch: number, nodeId: string, steps: TracedSteps): void {
    const asking = this.#asking;
    if (asking?.epoch !== epoch || !asking.open.delete(nodeId)) return;
    asking.told.set(nodeId, steps);
    if (asking.open.size === 0) this.#finish();
  }

  #finish(): void {
    this.#asking?.done.resolve(this.#asking.told);
    this.#asking = undefined;
  }
}
