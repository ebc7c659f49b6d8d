// The last ten minutes of the cluster and of each node, kept from what the stages report. It must not know the API.
// Times are milliseconds on the clock that the caller keeps to.
import type { ClusterHistory } from '../protocol/history.ts';
import { HISTORY_SAMPLES, HISTORY_STEP_MS, MAX_HISTORY_NODES } from '../protocol/limits.ts';
import type { StageStats } from '../protocol/stage.ts';
import { RateHistory } from './rate-history.ts';

/** A report is at most this much older than it says: one that was late tells of no longer time. */
const MAX_REPORT_MS = 5_000;
/** The newest samples wait for the reports that are under way. */
const LAG_MS = 1_000;

interface KnownNode {
  epoch: number;
  reportedAt: number;
  tokensTotal: number;
  tokens: RateHistory;
  busy: RateHistory;
}

export class History {
  readonly #cluster = new RateHistory();
  readonly #nodes = new Map<string, KnownNode>();
  #countedAt: number;
  #tokensTotal = 0;

  constructor(nowMs: number) {
    this.#countedAt = nowMs;
  }

  /** A stage has reported; its counters begin anew with each deployment. */
  report(nodeId: string, epoch: number, { tokensTotal, busyShare }: StageStats, nowMs: number): void {
    const before = this.#nodes.get(nodeId);
    const node = before ?? { tokens: new RateHistory(), busy: new RateHistory() };
    const isContinued = before?.epoch === epoch && tokensTotal >= before.tokensTotal;
    if (before && isContinued) {
      const fromMs = Math.max(before.reportedAt, nowMs - MAX_REPORT_MS);
      before.tokens.add(fromMs, nowMs, tokensTotal - before.tokensTotal);
      // busy milliseconds, in seconds: a share of each second
      before.busy.add(fromMs, nowMs, (busyShare * (nowMs - fromMs)) / 1_000);
    }
    this.#nodes.set(nodeId, { ...node, epoch, reportedAt: nowMs, tokensTotal });
    if (this.#nodes.size > MAX_HISTORY_NODES) this.#forgetOldest();
  }

  /** The tokens that the controller has handed out until now. */
  count(tokensTotal: number, nowMs: number): void {
    this.#cluster.add(this.#countedAt, nowMs, tokensTotal - this.#tokensTotal);
    this.#countedAt = nowMs;
    this.#tokensTotal = tokensTotal;
  }

  /** @param at the same moment as `nowMs`, in milliseconds since 1970 */
  told(nowMs: number, at: number): ClusterHistory {
    const endMs = Math.max(0, nowMs - LAG_MS);
    const kept = [...this.#nodes].filter(
      ([, { reportedAt }]) => nowMs - reportedAt < HISTORY_SAMPLES * HISTORY_STEP_MS,
    );
    return {
      at: at - LAG_MS - (endMs % HISTORY_STEP_MS),
      stepMs: HISTORY_STEP_MS,
      tokensPerSecond: rounded(this.#cluster.samples(endMs)),
      nodes: kept.map(([id, { tokens, busy }]) => ({
        id,
        tokensPerSecond: rounded(tokens.samples(endMs)),
        busyShare: rounded(busy.samples(endMs)),
      })),
    };
  }

  #forgetOldest(): void {
    const [oldest] = [...this.#nodes].sort(([, a], [, b]) => a.reportedAt - b.reportedAt);
    if (oldest) this.#nodes.delete(oldest[0]);
  }
}

/** To three places: nobody sees more, and it travels. */
function rounded(samples: readonly (number | null)[]): (number | null)[] {
  return samples.map((sample) => (sample === null ? null : Math.round(sample * 1_000) / 1_000));
}
