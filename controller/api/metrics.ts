// What the server counts, for Prometheus: names and units as its conventions have them (base units, _total, _seconds).
// docs/grafana-dashboard.json draws them. It must not know dialects or tokens.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ClusterStatus } from '../../protocol/status.ts';

/** Seconds until something begins: from an idle cluster's first token to a prefill of R1's whole context. */
const WAIT_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
/** Seconds of a decode step: from the demo model's to a 671B model over a slow network. */
const TOKEN_BUCKETS = [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2];
const TOKENS_BUCKETS = [16, 64, 256, 1_024, 4_096, 16_384, 65_536, 163_840];

/** conversation: somebody waits for it · background: nobody does */
const LANE = ['dialect', 'lane'] as const;

export type Outcome = 'stop' | 'length' | 'tool-calls' | 'cancelled' | 'failed';

export class Metrics {
  readonly #registry = new Registry();
  readonly requests = this.#counter('requests_total', 'Answers that have ended, by how they did.', [
    ...LANE,
    'outcome',
  ]);
  readonly refusals = this.#counter('refusals_total', 'Requests that were refused, by error code.', ['code']);
  readonly promptTokens = this.#counter(
    'prompt_tokens_total',
    'Tokens of prompts of answered requests.',
    LANE,
  );
  readonly cachedTokens = this.#counter(
    'cached_prompt_tokens_total',
    'Of these, those whose KV was there already.',
    LANE,
  );
  readonly generatedTokens = this.#counter(
    'generated_tokens_total',
    'Tokens of answers that have ended.',
    LANE,
  );
  readonly queueTime = this.#histogram(
    'queue_time_seconds',
    'From a request to its session.',
    WAIT_BUCKETS,
    LANE,
  );
  readonly firstToken = this.#histogram(
    'time_to_first_token_seconds',
    'From a request to the first text of its answer.',
    WAIT_BUCKETS,
    LANE,
  );
  readonly perToken = this.#histogram(
    'time_per_output_token_seconds',
    'Of an answer after its first token: its time over its tokens.',
    TOKEN_BUCKETS,
    LANE,
  );
  readonly duration = this.#histogram(
    'request_duration_seconds',
    'From a request to its end.',
    WAIT_BUCKETS,
    LANE,
  );
  readonly promptLength = this.#histogram(
    'request_prompt_tokens',
    'Tokens of a prompt.',
    TOKENS_BUCKETS,
    LANE,
  );

  /** @param status read at each scrape */
  constructor(status: () => ClusterStatus) {
    this.#gauges(status);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({
      name: `espalier_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
    });
  }

  #histogram<Label extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly Label[],
  ): Histogram<Label> {
    const registers = [this.#registry];
    return new Histogram({ name: `espalier_${name}`, help, buckets, labelNames: [...labelNames], registers });
  }

  #gauges(status: () => ClusterStatus): void {
    const gauge = <Label extends string>(
      name: string,
      help: string,
      labelNames: readonly Label[],
      read: (gauge: Gauge<Label>, status: ClusterStatus) => void,
    ): void => {
      new Gauge<Label>({
        name: `espalier_${name}`,
        help,
        labelNames: [...labelNames],
        registers: [this.#registry],
        collect() {
          this.reset();
          read(this, status());
        },
      });
    };
    gauge('serving', '1 while the cluster serves.', [], (to, { state }) =>
      to.set(state === 'serving' ? 1 : 0),
    );
    gauge('epoch', 'Deployments so far.', [], (to, { epoch }) => to.set(epoch));
    gauge('requests_running', 'Requests that have a session.', [], (to, now) => to.set(now.requestsRunning));
    gauge('requests_waiting', 'Requests that wait for one.', [], (to, now) => to.set(now.requestsWaiting));
    gauge('nodes_connected', 'Nodes with a control connection.', [], (to, { nodes }) =>
      to.set(nodes.filter(({ state }) => state === 'connected').length),
    );
    gauge('kv_tokens', 'Tokens of KV, by who holds them.', ['state'], (to, { kv }) => {
      if (!kv) return;
      to.set({ state: 'live' }, kv.liveTokens);
      to.set({ state: 'kept' }, kv.keptTokens);
      to.set({ state: 'free' }, kv.totalTokens - kv.liveTokens - kv.keptTokens);
    });
    const guessed = (name: string, help: string, value: 'sent' | 'kept') =>
      gauge(name, help, ['source'], (to, { guesses }) => {
        for (const each of guesses ?? []) to.set({ source: each.source }, each[value]);
      });
    guessed('guesses_sent', 'Tokens guessed ahead since the start, by source.', 'sent');
    guessed('guesses_kept', 'Of these, those that were right.', 'kept');
    const STAGE = ['stage', 'node'] as const;
    const ofStages = (
      name: string,
      help: string,
      value: (stage: ClusterStatus['stages'][number]) => number | null,
    ): void =>
      gauge(name, help, STAGE, (to, { stages }) => {
        for (const stage of stages) {
          const read = value(stage);
          if (read !== null) to.set({ stage: String(stage.index), node: stage.node }, read);
        }
      });
    ofStages('stage_step_seconds', 'Mean time of a decode step.', ({ stepTimeMs }) =>
      stepTimeMs === null ? null : stepTimeMs / 1_000,
    );
    ofStages('stage_busy_ratio', 'Share of the time spent on steps.', ({ busyShare }) => busyShare);
    ofStages(
      'stage_tokens_per_second',
      'Tokens through the stage, prefill and decode.',
      (stage) => stage.tokensPerSecond,
    );
    ofStages(
      'stage_resident_bytes',
      'Resident memory of the stage worker.',
      ({ residentBytes }) => residentBytes,
    );
    ofStages('stage_weight_bytes', 'Weights of the stage.', ({ weightBytes }) => weightBytes);
    ofStages('stage_kv_bytes', 'KV of the stage.', ({ kvBytes }) => kvBytes);
    ofStages('stage_hop_bytes_per_second', 'Sent to the next stage.', (stage) => stage.hopBytesPerSecond);
  }
}
