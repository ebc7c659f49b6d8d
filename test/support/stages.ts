// A whole model as a chain of engines in this process: the math of a cluster without its sockets.
import './one-blas-thread.ts';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Engine, type Sampled } from '../../agent/engine/engine.ts';
import type { Tensor } from '../../agent/engine/mlx.ts';
import type { Fault } from '../../agent/engine/sessions.ts';
import type { Row, SessionOp } from '../../agent/engine/step.ts';
import { EspalierError } from '../../protocol/errors.ts';
import type { Sampling } from '../../protocol/generate.ts';
import type { LayerRange } from '../../protocol/plan.ts';
import { demoModelDir } from './paths.ts';
import { GREEDY } from './sampling.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;

export async function settle(): Promise<void> {
  collect({ type: 'minor' });
  await setImmediate();
}

/** Gives back what was held for long, too. */
export async function settleAll(): Promise<void> {
  collect();
  await setImmediate();
}

/** Cuts `layers` into `count` ranges of nearly equal length. */
export function evenRanges(layers: number, count: number): LayerRange[] {
  return Array.from({ length: count }, (_, i) => ({
    start: Math.floor((layers * i) / count),
    end: Math.floor((layers * (i + 1)) / count),
  }));
}

function throwFirst([fault]: Fault[]): void {
  if (fault) throw new EspalierError(fault.code, fault.message);
}

export class StageChain {
  readonly engines: Engine[];
  #session = 0;

  private constructor(engines: Engine[]) {
    this.engines = engines;
  }

  static async load(
    ranges: LayerRange[],
    modelDir = demoModelDir,
    contextTokens = 4096,
    kvTokens = 1 << 20,
  ): Promise<StageChain> {
    const engines: Engine[] = [];
    for (const range of ranges)
      engines.push(await Engine.load({ modelDir, range, contextTokens, maxSessions: 64, kvTokens, settle }));
    return new StageChain(engines);
  }

  get last(): Engine {
    return this.engines.at(-1) as Engine;
  }

  open(options: { maxTokens?: number; stopIds?: number[]; sampling?: Sampling } = {}): {
    session: number;
    op: SessionOp;
  } {
    const session = ++this.#session;
    const { maxTokens = 1000, stopIds = [1], sampling = GREEDY } = options;
    return { session, op: { op: 'open', session, requestId: `r${session}`, sampling, maxTokens, stopIds } };
  }

  /** Runs a step through all stages. */
  async forward(rows: Row[], ids: number[], ops: SessionOp[] = []): Promise<Tensor> {
    let hidden: readonly number[] | Tensor = ids;
    for (const engine of this.engines) {
      const before = engine.apply(ops);
      const ran = await engine.run(rows, hidden);
      throwFirst([...before, ...ran.faults]);
      hidden = ran.hidden;
    }
    await settle();
    return hidden as Tensor;
  }

  /** The logits of the first sampling row. */
  lastLogits(rows: Row[], hidden: Tensor): number[] {
    const logits = this.last.logits(rows, hidden);
    if (!logits) throw new Error('no row samples');
    return (logits.tolist() as number[][])[0] ?? [];
  }

  /** @throws EspalierError of the first session that cannot be drawn */
  async sample(rows: Row[], hidden: Tensor): Promise<Sampled[]> {
    const { sampled, faults } = await this.last.sample(rows, hidden);
    throwFirst(faults);
    return sampled;
  }

  async step(rows: Row[], ids: number[], ops: SessionOp[] = []): Promise<Sampled[]> {
    const hidden = await this.forward(rows, ids, ops);
    return this.sample(rows, hidden);
  }

  /** Generates alone, the prompt in chunks of `chunk` tokens. The stop token is part of the result. */
  async generate(
    promptIds: number[],
    options: { chunk?: number; maxTokens?: number; stopIds?: number[]; sampling?: Sampling } = {},
  ): Promise<number[]> {
    const { chunk = 512, ...rest } = options;
    const { session, op } = this.open(rest);
    let ops = [op];
    let sampled: Sampled[] = [];
    for (let position = 0; position < promptIds.length; position += chunk) {
      const ids = promptIds.slice(position, position + chunk);
      const isLast = position + chunk >= promptIds.length;
      sampled = await this.step([{ session, position, count: ids.length, sample: isLast }], ids, ops);
      ops = [];
    }
    const tokens: number[] = [];
    for (let position = promptIds.length; ; position++) {
      const [next] = sampled;
      if (next?.token === undefined) throw new Error('no token was drawn');
      tokens.push(next.token);
      if (next.finish) break;
      sampled = await this.step([{ session, position, count: 1, sample: true }], [next.token]);
    }
    this.drop(session);
    return tokens;
  }

  drop(session: number): void {
    for (const engine of this.engines) engine.apply([{ op: 'drop', session }]);
  }

  /** Generates for all prompts at once: prefill one after the other, then decode steps of all rows together. */
  async generateTogether(
    prompts: number[][],
    options: { maxTokens?: number; stopIds?: number[]; sampling?: Sampling } = {},
  ): Promise<number[][]> {
    const outputs: number[][] = prompts.map(() => []);
    const live = new Map<number, { session: number; position: number; token: number }>();
    const take = (sampled: Sampled | undefined, i: number, session: number, position: number) => {
      if (sampled?.token === undefined) throw new Error('no token was drawn');
      outputs[i]?.push(sampled.token);
      if (!sampled.finish) return live.set(i, { session, position, token: sampled.token });
      live.delete(i);
      return this.drop(session);
    };
    for (const [i, ids] of prompts.entries()) {
      const { session, op } = this.open(options);
      const [first] = await this.step([{ session, position: 0, count: ids.length, sample: true }], ids, [op]);
      take(first, i, session, ids.length);
    }
    while (live.size > 0) {
      const now = [...live];
      const rows = now.map(([, { session, position }]) => ({ session, position, count: 1, sample: true }));
      const sampled = await this.step(
        rows,
        now.map(([, { token }]) => token),
      );
      for (const [place, [i, { session, position }]] of now.entries())
        take(sampled[place], i, session, position + 1);
    }
    return outputs;
  }
}
