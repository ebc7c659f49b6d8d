// A ring of real stage loops on the demo model in this process: everything of a cluster's stages but the sockets and the
// processes. Frames go through their bytes, as on a hop.
import './one-blas-thread.ts';
import { rmSync } from 'node:fs';
import { Engine } from '../../agent/engine/engine.ts';
import { TensorBytes } from '../../agent/engine/tensor-bytes.ts';
import { encodeFrame, type Frame, FrameReader } from '../../agent/stage/frame.ts';
import { Meter } from '../../agent/stage/meter.ts';
import { makeScratchDir } from '../../agent/stage/scratch.ts';
import type { GuessSource } from '../../agent/stage/speculation/source.ts';
import { StageLoop } from '../../agent/stage/stage-loop.ts';
import { Tracer } from '../../agent/stage/tracer.ts';
import type { FinishReason, GenerateRequest, RequestFailure, TokenEvent } from '../../protocol/generate.ts';
import type { StageSpec } from '../../protocol/stage.ts';
import { demoModelDir } from './paths.ts';
import { GREEDY } from './sampling.ts';
import { evenRanges, settle } from './stages.ts';
import { until } from './until.ts';

export const EPOCH = 7;
const LAYERS = 12;

export interface RingOptions extends Partial<Pick<StageSpec, 'contextTokens' | 'kvTokens' | 'maxSessions'>> {
  /** sees, and may change, each frame on its way out of a stage */
  onFrame?: (frame: Frame, fromStage: number) => void;
  /** what the first stage guesses with */
  sources?: readonly GuessSource[];
}

export interface Outcome {
  tokens: number[];
  /** of the events, of which one without a token may be the last */
  indices: number[];
  finish: FinishReason | undefined;
  cachedTokens: number | undefined;
  failures: RequestFailure[];
}

export class LoopRing {
  readonly loops: StageLoop[] = [];
  readonly engines: Engine[] = [];
  readonly events: TokenEvent[] = [];
  readonly failures: RequestFailure[] = [];
  readonly #bytes: TensorBytes[] = [];
  readonly #dirs: string[] = [];
  #broken: unknown;

  static async load(stageCount: number, options: RingOptions = {}): Promise<LoopRing> {
    const ring = new LoopRing();
    const { onFrame, contextTokens = 4096, kvTokens = 1 << 16, maxSessions = 64 } = options;
    for (const [index, range] of evenRanges(LAYERS, stageCount).entries()) {
      const limits = { contextTokens, kvTokens, maxSessions };
      const engine = await Engine.load({ modelDir: demoModelDir, range, ...limits, settle });
      const spec: StageSpec = {
        epoch: EPOCH,
        index,
        stageCount,
        range,
        modelDir: demoModelDir,
        modelFingerprint: '',
        ...limits,
        prefillChunkTokens: 64,
        maxChunkScores: 1e9,
        hopToken: 'of no use without a socket',
        neighbours: { before: '0'.repeat(64), after: '0'.repeat(64) },
      };
      const dir = makeScratchDir();
      const bytes = new TensorBytes(dir);
      const measures = { meter: new Meter(0), tracer: new Tracer(() => performance.now()) };
      const reader = new FrameReader();
      const send = (frame: Frame) => {
        onFrame?.(frame, index);
        const next = ring.loops[(index + 1) % stageCount];
        for (const received of reader.push(encodeFrame(frame))) next?.receive(received);
      };
      const outlets = {
        send,
        admitted: () => undefined,
        tokens: (events: TokenEvent[]) => void ring.events.push(...events),
        failed: (failure: RequestFailure) => void ring.failures.push(failure),
        settle,
        stepBegins: () => undefined,
        stepEnds: () => undefined,
      };
      ring.engines.push(engine);
      const loop = new StageLoop(spec, engine, bytes, measures, outlets, options.sources);
      loop.begin(false);
      ring.loops.push(loop);
      ring.#bytes.push(bytes);
      ring.#dirs.push(dir);
    }
    return ring;
  }

  get head(): StageLoop {
    return this.loops[0] as StageLoop;
  }

  /** Lets all loops run, until the process ends. */
  start(): this {
    for (const loop of this.loops) {
      loop.run().catch((error: unknown) => {
        this.#broken ??= error;
      });
    }
    return this;
  }

  submit(requestId: string, promptIds: number[], options: Partial<GenerateRequest> = {}): void {
    this.head.submit({ requestId, promptIds, maxTokens: 1000, stopIds: [1], sampling: GREEDY, ...options });
  }

  /** What came of a request, in order. */
  of(requestId: string): Outcome {
    const events = this.events.filter((event) => event.requestId === requestId);
    return {
      tokens: events.flatMap(({ token }) => token ?? []),
      indices: events.map(({ index }) => index),
      finish: events.at(-1)?.finish ?? undefined,
      cachedTokens: events[0]?.cachedTokens,
      failures: this.failures.filter((failure) => failure.requestId === requestId),
    };
  }

  /** @throws the error that ended a loop, or Error where they do not end in time */
  async ended(...requestIds: string[]): Promise<void> {
    const isEnded = (id: string) => {
      const { finish, failures } = this.of(id);
      return finish !== undefined || failures.length > 0;
    };
    await until(
      () => {
        if (this.#broken) throw this.#broken;
        return requestIds.every(isEnded);
      },
      `the end of ${requestIds.join(', ')}`,
    );
  }

  close(): void {
    for (const bytes of this.#bytes) bytes.close();
    for (const dir of this.#dirs) rmSync(dir, { recursive: true, force: true });
  }
}
