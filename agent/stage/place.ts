// A stage's place in the ring of one deployment: its two hops and its loop. A hop that is lost ends neither the worker
// nor the other hop: the stage stops stepping and waits until it is moved to its next place.
import type { DraftLink } from '../../protocol/draft.ts';
import type { GenerateRequest, RequestFailure, TokenEvent } from '../../protocol/generate.ts';
import type { Credentials } from '../../protocol/identity.ts';
import type { HostPort } from '../../protocol/node.ts';
import type { GuessStats } from '../../protocol/speculation.ts';
import type { HopSide, KvUse, StageSpec } from '../../protocol/stage.ts';
import type { TracedSteps } from '../../protocol/trace.ts';
import type { Engine } from '../engine/engine.ts';
import type { TensorBytes } from '../engine/tensor-bytes.ts';
import { HopClient, HopServer } from './hop.ts';
import { type Interval, Meter } from './meter.ts';
import { DraftHop } from './speculation/draft-hop.ts';
import type { RemoteDraft } from './speculation/remote-draft.ts';
import type { GuessSource } from './speculation/source.ts';
import { StageLoop } from './stage-loop.ts';
import { Tracer } from './tracer.ts';

/** What a worker has, whatever its place. */
export interface PlaceParts {
  /** of this node */
  credentials: Credentials;
  engine: Engine;
  bytes: TensorBytes;
  /** what the first stage guesses with; none for no guesses */
  sources: readonly GuessSource[];
  /** of these, the one that hears of a draft on another node */
  remote?: RemoteDraft | undefined;
  settle(): Promise<void>;
  /** for how long this process may be blocked from now on */
  busyMs(): number;
  stepBegins(tokens: number): Promise<void> | void;
  stepEnds(): void;
}

export interface PlaceListener {
  /** both hops are open */
  onLinked(): void;
  onUnlinked(hop: HopSide, reason: string): void;
  /** the same of a draft on another node: the stage goes on without it */
  onDraftLinked(draftEpoch: number): void;
  onDraftUnlinked(draftEpoch: number, reason: string): void;
  /** a stranger knocked */
  onRefused(reason: string): void;
  onAdmitted(requestIds: string[]): void;
  onTokens(tokens: TokenEvent[]): void;
  onRequestFailed(failure: RequestFailure): void;
  /** the engine cannot go on */
  onBroken(error: unknown): void;
}

export interface LinkOptions {
  next: HostPort;
  from?: string | undefined;
  keepsKv: boolean;
  /** where the KV that is kept was computed */
  before: Place | undefined;
}

export class Place {
  readonly spec: StageSpec;
  readonly #credentials: Credentials;
  readonly #listener: PlaceListener;
  readonly #loop: StageLoop;
  readonly #server: HopServer;
  readonly #meter = new Meter(performance.now());
  readonly #tracer = new Tracer(() => performance.timeOrigin + performance.now());
  /** ends dialling */
  readonly #abort = new AbortController();
  readonly #lost = new Set<HopSide>();
  #next: HopClient | undefined;
  #draftHop: DraftHop | undefined;
  readonly #remote: RemoteDraft | undefined;
  readonly #busyMs: () => number;
  #openHops = 0;

  constructor(spec: StageSpec, parts: PlaceParts, listener: PlaceListener) {
    this.spec = spec;
    this.#credentials = parts.credentials;
    this.#listener = listener;
    this.#remote = parts.remote;
    this.#busyMs = () => parts.busyMs();
    this.#loop = new StageLoop(
      spec,
      parts.engine,
      parts.bytes,
      { meter: this.#meter, tracer: this.#tracer },
      {
        send: (frame) => {
          this.#next?.send(frame, (bytes) => this.#tracer.encoded(bytes));
          this.#tracer.mark('send');
        },
        admitted: (requestIds) => listener.onAdmitted(requestIds),
        tokens: (tokens) => listener.onTokens(tokens),
        failed: (failure) => listener.onRequestFailed(failure),
        settle: () => this.#tracer.tidy(() => parts.settle()),
        stepBegins: (tokens) => parts.stepBegins(tokens),
        stepEnds: () => parts.stepEnds(),
      },
      parts.sources,
    );
    const { epoch, index, stageCount, hopToken } = spec;
    this.#server = new HopServer(
      { epoch, fromStage: (index + stageCount - 1) % stageCount, hopToken },
      { credentials: parts.credentials, peer: spec.neighbours.before },
      {
        onLinked: () => this.#opened(),
        onFrame: (frame) => {
          if (frame.kind === 'tokens') this.#tracer.answered(frame.step);
          if (!this.#loop.receive(frame)) this.#server.drop('it sends more than a ring can have in flight');
        },
        onLost: (reason) => this.#unlink('before', reason),
        onRefused: (reason) => listener.onRefused(reason),
        blockedMs: () => parts.busyMs(),
      },
    );
  }

  /** @returns the port at which the stage before this one reaches it */
  listen(hopHost: string): Promise<number> {
    return this.#server.listen(hopHost);
  }

  /** Takes the place up: dials the next stage, and steps from then on. What goes wrong with a hop is told, not thrown. */
  async link({ next, from, keepsKv, before }: LinkOptions): Promise<void> {
    // first: whatever becomes of the hops, KV that is kept goes on from here
    this.#loop.begin(keepsKv, before ? before.#loop : undefined);
    const { epoch, index, stageCount, hopToken, neighbours } = this.spec;
    if (stageCount === 1) this.#listener.onLinked();
    else {
      const { signal } = this.#abort;
      const onLost = (reason: string) => this.#unlink('after', reason);
      try {
        const hello = { epoch, fromStage: index, hopToken };
        const keys = { credentials: this.#credentials, peer: neighbours.after };
        this.#next = await HopClient.dial(next, hello, keys, onLost, from, signal);
      } catch (error) {
        return this.#unlink('after', (error as Error).message);
      }
      if (signal.aborted) return this.#next.close();
      this.#opened();
    }
    this.#loop.run().catch((error) => this.#listener.onBroken(error));
  }

  /** First stage: it is guessed for by this draft from now on, once it can be reached. */
  async linkDraft(link: DraftLink): Promise<void> {
    this.#draftHop?.close();
    // of a deployment that knows of no draft elsewhere, or is over
    if (!this.#remote || this.#abort.signal.aborted) return;
    const { draftEpoch } = link;
    this.#draftHop = new DraftHop(link, this.#credentials, this.#remote, {
      onLinked: () => this.#listener.onDraftLinked(draftEpoch),
      onUnlinked: (reason) => this.#listener.onDraftUnlinked(draftEpoch, reason),
      blockedMs: () => this.#busyMs(),
    });
    await this.#draftHop.dial();
  }

  /** @throws EspalierError for this request alone */
  submit(request: GenerateRequest): void {
    this.#loop.submit(request);
  }

  cancel(requestId: string): void {
    this.#loop.cancel(requestId);
  }

  cancelAll(): void {
    this.#loop.cancelAll();
  }

  /** Tells the next stage that this one lives. */
  beat(busyMs: number): void {
    this.#next?.beat(this.spec.epoch, busyMs);
    this.#draftHop?.beat(busyMs);
  }

  /** Steps no more and closes the hops, at once. @returns when the step under way has ended */
  leave(): Promise<void> {
    this.#abort.abort();
    this.#server.close();
    this.#next?.close();
    this.#draftHop?.close();
    return this.#loop.stop();
  }

  get kvUse(): KvUse | undefined {
    return this.#loop.kvUse;
  }

  get guessStats(): GuessStats | undefined {
    return this.#loop.guessStats;
  }

  /** What was measured since the last report. */
  report(): Interval {
    return this.#meter.report(performance.now(), this.#next?.sentBytes ?? 0);
  }

  trace(): TracedSteps {
    return this.#tracer.steps();
  }

  #opened(): void {
    this.#openHops += 1;
    if (this.#openHops === 2 && this.#lost.size === 0) this.#listener.onLinked();
  }

  /** The other hop stays: closing it would tell the stage behind it that this one is lost. */
  #unlink(hop: HopSide, reason: string): void {
    if (this.#abort.signal.aborted || this.#lost.has(hop)) return;
    this.#lost.add(hop);
    void this.#loop.stop();
    this.#listener.onUnlinked(hop, reason);
  }
}
