// Entry of a stage worker, a child process of an agent. It wires the engine, the hops and the agent's channel together
// and ends when the agent is gone. It may block for seconds in a step and may be killed by MLX: the agent expects both.
import { rmSync } from 'node:fs';
import { asEspalierError, EspalierError } from '../../protocol/errors.ts';
import { STATS_INTERVAL_MS } from '../../protocol/limits.ts';
import { WorkerCommand, type WorkerEvent } from '../../protocol/worker.ts';
import type { Engine } from '../engine/engine.ts';
import type { Frame } from './frame.ts';
import { HopClient, HopServer } from './hop.ts';
import { Meter } from './meter.ts';
import { makeSettle } from './settle.ts';
import { StageLoop } from './stage-loop.ts';
import { Tracer } from './tracer.ts';

type Load = WorkerCommand & { kind: 'load' };

const send = (event: WorkerEvent) => process.send?.(event);

/** The last words: the reason goes to the agent, then the process ends. */
function die(error: unknown): void {
  const { code, message } = asEspalierError(error, 'engine_failed');
  process.send?.({ kind: 'fatal', code, message } satisfies WorkerEvent, () => process.exit(1));
}

class Worker {
  readonly #load: Load;
  readonly #engine: Engine;
  readonly #server: HopServer;
  readonly #loop: StageLoop;
  readonly #meter = new Meter(performance.now());
  readonly #tracer = new Tracer(() => performance.timeOrigin + performance.now());
  #next: HopClient | undefined;
  #openHops = 0;

  private constructor(
    load: Load,
    engine: Engine,
    bytes: ConstructorParameters<typeof StageLoop>[2],
    settle: () => Promise<void>,
  ) {
    const { spec } = load;
    this.#load = load;
    this.#engine = engine;
    this.#loop = new StageLoop(
      spec,
      engine,
      bytes,
      { meter: this.#meter, tracer: this.#tracer },
      {
        send: (frame) => this.#send(frame),
        tokens: (tokens) => send({ kind: 'tokens', tokens }),
        failed: (failure) => send({ kind: 'request-failed', failure }),
        settle: () => this.#tracer.tidy(settle),
      },
    );
    const fromStage = (spec.index + spec.stageCount - 1) % spec.stageCount;
    this.#server = new HopServer(
      { epoch: spec.epoch, fromStage, hopToken: spec.hopToken },
      { credentials: load.credentials, peer: spec.neighbours.before },
      {
        onLinked: () => this.#hopOpened(),
        onFrame: (frame) => {
          if (frame.kind === 'tokens') this.#tracer.answered(frame.step);
          this.#loop.receive(frame);
        },
        onLost: (reason) =>
          die(new EspalierError('stage_lost', `the hop from stage ${fromStage} was lost: ${reason}`)),
        onRefused: (reason) => process.stderr.write(`${reason}\n`),
      },
    );
  }

  static async load(load: Load): Promise<Worker> {
    const { spec, scratchDir, hopHost } = load;
    // loaded here, so that a missing library is an answer and not a crash
    const { Engine } = await import('../engine/engine.ts');
    const { recommendedGpuBytes } = await import('../engine/mlx.ts');
    const { TensorBytes } = await import('../engine/tensor-bytes.ts');
    const { modelDir, range, modelFingerprint: fingerprint, contextTokens, maxSessions, kvTokens } = spec;
    const collect = globalThis.gc as Parameters<typeof makeSettle>[1];
    const settle = makeSettle(() => loaded?.kvBytes ?? 0, collect);
    let loaded: Engine | undefined;
    const limits = { contextTokens, maxSessions, kvTokens };
    const engine = await Engine.load({ modelDir, range, fingerprint, ...limits, settle });
    loaded = engine;
    const worker = new Worker(load, engine, new TensorBytes(scratchDir), settle);
    const hopPort = await worker.#server.listen(hopHost);
    const gpuLimitBytes = recommendedGpuBytes();
    send({ kind: 'loaded', hopPort, weightBytes: engine.weightBytes, gpuLimitBytes });
    return worker;
  }

  async link({ next, from }: WorkerCommand & { kind: 'link' }): Promise<void> {
    const { credentials, spec } = this.#load;
    const { epoch, index, hopToken, stageCount } = spec;
    if (stageCount > 1) {
      const hello = { epoch, fromStage: index, hopToken };
      const onLost = (reason: string) =>
        die(
          new EspalierError('stage_lost', `the hop to stage ${(index + 1) % stageCount} was lost: ${reason}`),
        );
      this.#next = await HopClient.dial(
        next,
        hello,
        { credentials, peer: spec.neighbours.after },
        onLost,
        from,
      );
      this.#hopOpened();
    } else {
      send({ kind: 'linked' });
    }
    this.#loop.run().catch(die);
    setInterval(() => this.#report(), STATS_INTERVAL_MS).unref();
  }

  handle(command: WorkerCommand): void {
    if (command.kind === 'cancel') this.#loop.cancel(command.requestId);
    if (command.kind === 'link') this.link(command).catch(die);
    if (command.kind === 'generate') this.#generate(command);
    if (command.kind === 'trace') send({ kind: 'trace', steps: this.#tracer.steps() });
  }

  #generate({ request }: WorkerCommand & { kind: 'generate' }): void {
    try {
      this.#loop.submit(request);
    } catch (error) {
      const { code, message } = asEspalierError(error);
      send({ kind: 'request-failed', failure: { requestId: request.requestId, code, message } });
    }
  }

  #send(frame: Frame): void {
    this.#next?.send(frame, (bytes) => this.#tracer.encoded(bytes));
    this.#tracer.mark('send');
  }

  #hopOpened(): void {
    this.#openHops += 1;
    if (this.#openHops === 2) send({ kind: 'linked' });
  }

  #report(): void {
    const interval = this.#meter.report(performance.now(), this.#next?.sentBytes ?? 0);
    const { weightBytes, kvBytes, sessionCount: sessions } = this.#engine;
    const residentBytes = process.memoryUsage.rss();
    const { kvUse } = this.#loop;
    send({
      kind: 'stats',
      stats: {
        pid: process.pid,
        residentBytes,
        weightBytes,
        kvBytes,
        sessions,
        ...(kvUse && { kvUse }),
        ...interval,
      },
    });
  }
}

let scratchDir: string | undefined;
let worker: Promise<Worker> | undefined;

process.on('message', (message) => {
  const command = WorkerCommand.safeParse(message);
  if (!command.success) return die(new EspalierError('internal', `the agent sent ${command.error.message}`));
  if (command.data.kind === 'stop') process.exit(0);
  if (command.data.kind === 'load') {
    scratchDir = command.data.scratchDir;
    worker = Worker.load(command.data);
    worker.catch(die);
    return;
  }
  const { data } = command;
  worker?.then((ready) => ready.handle(data)).catch(die);
});
// a terminal's Ctrl-C reaches everybody; the agent ends its workers in order
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
process.on('uncaughtException', die);
process.on('exit', () => {
  if (scratchDir) rmSync(scratchDir, { recursive: true, force: true });
});
