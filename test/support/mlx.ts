// The environment of MLX Distributed for tests, and ranks under their supervisors without a controller. In CI it is
// installed, which tests the installation; elsewhere tests that need it are skipped unless it is there.
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { findEnvironment, installEnvironment } from '../../agent/mlx-distributed/environment.ts';
import { RankSupervisor } from '../../agent/mlx-distributed/supervisor.ts';
import { EspalierError } from '../../protocol/errors.ts';
import type { GenerateRequest, RequestFailure, TokenEvent } from '../../protocol/generate.ts';
import { openModelFolder } from '../../protocol/model-folder.ts';
import type { RankLaunch, Split } from '../../protocol/ranks.ts';
import type { StageSpec, StageStats } from '../../protocol/stage.ts';
import { demoModelDir, projectDir } from './paths.ts';
import { GREEDY } from './sampling.ts';
import { until } from './until.ts';

const LAYERS = 12;
/** The files of one test run ask one after the other. */
const RETRY_MS = 900_000;
/** ranks know no keys */
const NO_KEY = '0'.repeat(64);

export const testEnginesDir = process.env.ESPALIER_TEST_ENGINES ?? join(projectDir, '.setup', 'engines');

/** Why tests with real ranks are skipped; false where they run. */
export async function noMlx(): Promise<string | false> {
  if (process.env.ESPALIER_CI === '1') return await installed();
  return (await findEnvironment(testEnginesDir))
    ? false
    : `MLX Distributed is not installed: ESPALIER_ENGINES=${testEnginesDir} npm run espalier -- engine install mlx-distributed`;
}

/** A machine without a package index is told of once, and not a reason to fail; anything else that goes wrong is. */
async function installed(): Promise<string | false> {
  const mark = join(testEnginesDir, 'unreachable');
  const isRecent = (statSync(mark, { throwIfNoEntry: false })?.mtimeMs ?? 0) > Date.now() - RETRY_MS;
  if (isRecent) return 'the package index could not be reached a moment ago';
  try {
    await installEnvironment(testEnginesDir, () => undefined);
    return false;
  } catch (error) {
    if (!(error instanceof EspalierError) || !error.message.includes('cannot be reached')) throw error;
    writeFileSync(mark, '');
    return error.message;
  }
}

export interface RankGroupOptions {
  split: Split;
  /** layers of each rank, rank 0 first; in a tensor split only their number counts */
  layerCounts: readonly number[];
  spec?: Partial<StageSpec>;
}

interface Live {
  tokens: number[];
  events: TokenEvent[];
  finish: TokenEvent['finish'];
  failure: RequestFailure | undefined;
}

/** All ranks of one deployment, on this machine, in the place of the agents and the controller. */
export class RankGroup implements AsyncDisposable {
  readonly supervisors: RankSupervisor[] = [];
  /** the exits that nobody asked for, by rank */
  readonly exits = new Map<number, { code: string; message: string }>();
  /** what ranks said that lost the others, by rank */
  readonly lost = new Map<number, string>();
  readonly stats = new Map<number, StageStats>();
  readonly weightBytes = new Map<number, number>();
  readonly #live = new Map<string, Live>();
  readonly #linked = new Set<number>();
  readonly #ports = new Map<number, number>();
  #serial = 0;

  /** @returns when all ranks have loaded and found one another; rejects with the first failure */
  static async up({ split, layerCounts, spec: changes }: RankGroupOptions): Promise<RankGroup> {
    const group = new RankGroup();
    const rankCount = layerCounts.length;
    const { fingerprint } = await openModelFolder(changes?.modelDir ?? demoModelDir);
    const log = pino({ level: process.env.ESPALIER_LOG ?? 'silent' });
    for (const [rank, count] of layerCounts.entries()) {
      const start = split === 'tensor' ? 0 : layerCounts.slice(rank + 1).reduce((sum, n) => sum + n, 0);
      const spec: StageSpec = {
        epoch: 1,
        index: rankCount - 1 - rank,
        stageCount: rankCount,
        range: { start, end: split === 'tensor' ? LAYERS : start + count },
        modelDir: demoModelDir,
        modelFingerprint: fingerprint,
        contextTokens: 163_840,
        maxSessions: 64,
        kvTokens: 16_384,
        prefillChunkTokens: 512,
        maxChunkScores: 1 << 24,
        hopToken: 'a secret of sixteen letters',
        neighbours: { before: NO_KEY, after: NO_KEY },
        ranks: { rank, rankCount, split, layerCounts: split === 'tensor' ? [] : [...layerCounts] },
        ...changes,
      };
      const place = { enginesDir: testEnginesDir, node: `node-${rank}` };
      group.supervisors.push(
        new RankSupervisor(place, spec, '127.0.0.1', log, {
          onEvent: (event) => {
            if (event.kind === 'loaded') {
              group.#ports.set(rank, event.hopPort);
              group.weightBytes.set(rank, event.weightBytes);
            } else if (event.kind === 'linked') group.#linked.add(rank);
            else if (event.kind === 'unlinked') group.lost.set(rank, event.reason);
            else if (event.kind === 'stats') group.stats.set(rank, event.stats);
            else if (event.kind === 'tokens') for (const token of event.tokens) group.#take(token);
            else if (event.kind === 'request-failed') {
              const live = group.#live.get(event.failure.requestId);
              if (live) live.failure = event.failure;
            }
          },
          onExit: (failure) => group.exits.set(rank, failure),
        }),
      );
    }
    await group.#untilAll(group.#ports, 'loaded ranks');
    const hosts = layerCounts.map((_, rank) => [`127.0.0.1:${group.#ports.get(rank)}`]);
    const ranks: RankLaunch | undefined = rankCount > 1 ? { backend: 'ring', hosts } : undefined;
    const ring = { epoch: 1, next: { host: '127.0.0.1', port: 1 }, keepsKv: false };
    for (const supervisor of group.supervisors) {
      supervisor.send({ kind: 'link', ...ring, ...(ranks && { ranks }) });
    }
    await group.#untilAll(group.#linked, 'linked ranks');
    return group;
  }

  /** @returns the request's state, which fills; see `done` */
  start(request: Partial<GenerateRequest> & Pick<GenerateRequest, 'promptIds'>): Live {
    this.#serial += 1;
    const requestId = `r${this.#serial}`;
    const live: Live = { tokens: [], events: [], finish: null, failure: undefined };
    this.#live.set(requestId, live);
    const whole = { maxTokens: 400, stopIds: [1], sampling: GREEDY, ...request, requestId };
    for (const [rank, supervisor] of this.supervisors.entries()) {
      if (rank === 0) supervisor.send({ kind: 'generate', request: whole, serial: this.#serial });
      else supervisor.send({ kind: 'wake', serial: this.#serial });
    }
    return live;
  }

  cancel(live: Live): void {
    const requestId = [...this.#live].find(([, other]) => other === live)?.[0] ?? '';
    this.supervisors[0]?.send({ kind: 'cancel', requestId });
  }

  async done(live: Live): Promise<Live> {
    const isOver = () => live.finish !== null || live.failure !== undefined || this.exits.size > 0;
    await until(isOver, 'an answer', 120_000);
    if (live.finish === null && !live.failure) {
      throw new Error([...this.exits.values()].map(({ message }) => message).join('; '));
    }
    return live;
  }

  /** The tokens of an answer. @throws Error for one that failed */
  async generate(request: Partial<GenerateRequest> & Pick<GenerateRequest, 'promptIds'>): Promise<number[]> {
    const { tokens, failure } = await this.done(this.start(request));
    if (failure) throw new Error(`${failure.code}: ${failure.message}`);
    return tokens;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.supervisors.map((supervisor) => supervisor.stop()));
  }

  #take(event: TokenEvent): void {
    const live = this.#live.get(event.requestId);
    if (!live) return;
    live.events.push(event);
    if (event.token !== null) live.tokens.push(event.token);
    live.finish = event.finish;
  }

  async #untilAll(has: { size: number }, what: string): Promise<void> {
    await until(() => has.size === this.supervisors.length || this.exits.size > 0, what, 120_000);
    const [failure] = this.exits.values();
    if (!failure) return;
    await this[Symbol.asyncDispose]();
    throw new Error(`${failure.code}: ${failure.message}`);
  }
}
