// A stage without a model, for tests of the scheduler: the real `Sessions`, and KV that is a list of token ids for each
// session, so that what a stage holds can be compared with what it ought to hold. Faults come by chance.
import assert from 'node:assert/strict';
import { Sessions } from '../../agent/engine/sessions.ts';
import type { OneSessionOp, Row, SessionOp, SessionSource } from '../../agent/engine/step.ts';
import type { ScheduledStep } from '../../agent/stage/scheduler.ts';
import type { GenerateRequest } from '../../protocol/generate.ts';
import { kvCapacity } from '../../protocol/limits.ts';

/** What a stage writes for a token that it could not compute. */
const GARBAGE = -1;
const INJECTED = 'injected by the test';

/** A request, and what came of it. */
export interface Asked {
  request: GenerateRequest;
  drawn: number[];
  end: 'stop' | 'length' | 'failed' | 'cancelled' | undefined;
}

type FailOp = SessionOp & { op: 'fail' };

/** What several stages and their requests share. */
export interface ModelContext {
  readonly maxSessions: number;
  kvTokens: number;
  isUnlucky(): boolean;
  asked: Map<string, Asked>;
  /** sessions that a stage refused to open because of an injected fault: who begins with them is refused as well */
  broken: Set<number>;
}

/** One stage: the real `Sessions`, and KV that is a list of token ids for each session. */
export class ModelStage {
  readonly kv = new Map<number, number[]>();
  readonly queue: ScheduledStep[] = [];
  readonly #sessions: Sessions;
  readonly #context: ModelContext;
  readonly #known = new Set<number>();

  constructor(context: ModelContext) {
    const { maxSessions, kvTokens } = context;
    this.#context = context;
    const limits = { contextTokens: 1e6, maxSessions, kvTokens };
    const store = {
      adopt: (session: number, source: SessionSource) => this.#adopt(session, source),
      trim: (session: number, length: number) => {
        this.kv.set(session, (this.kv.get(session) ?? []).slice(0, length));
      },
      drop: (session: number) => void this.kv.delete(session),
    };
    this.#sessions = new Sessions(limits, store, () => 'a stage');
  }

  /** Takes its place in another ring: what was on its way to it is lost. */
  relink(keepsKv: boolean): void {
    const { maxSessions, kvTokens } = this.#context;
    this.queue.length = 0;
    this.#sessions.limit({ contextTokens: 1e6, maxSessions, kvTokens });
    if (!keepsKv) this.#sessions.clear();
  }

  get heldTokens(): number {
    return [...this.kv.values()].reduce((sum, tokens) => sum + kvCapacity(tokens.length), 0);
  }

  get faultySessions(): number[] {
    return [...this.#known].filter((id) => this.#sessions.isFaulty(id));
  }

  requestOf(session: number): Asked | undefined {
    return this.#context.asked.get(this.#sessions.get(session)?.open?.requestId ?? '');
  }

  /** Guesses that turned out wrong, as the first stage says at once. */
  cancelGuesses(session: number, position: number): void {
    this.#sessions.cancelGuesses(session, position);
  }

  /**
   * As a stage does it.
   * @param isOpen whether a guess that nobody has cancelled may still be right, as far as this stage knows
   * @returns what the next stage gets, and the rows that were computed
   */
  run(
    { step, ops, rows: allRows, ids: allIds }: ScheduledStep,
    isOpen: (row: Row, taken: ReadonlySet<number>) => boolean,
  ): { passed: ScheduledStep; failed: FailOp[]; sound: Row[] } {
    const failed = ops.flatMap((op) => this.#apply(op));
    const { rows, ids } = this.#worthwhile(allRows, allIds, isOpen);
    const lengths = new Map<number, number>();
    for (const row of rows) {
      if (this.#context.isUnlucky()) failed.push(...this.#inject(row.session));
      const fault = this.#sessions.check(row, lengths.get(row.session));
      lengths.set(row.session, row.position + row.count);
      assert.equal(fault, undefined, 'a fault came by itself');
    }
    let begin = 0;
    const sound = rows.filter((row) => {
      const written = ids.slice(begin, begin + row.count);
      begin += row.count;
      if (this.#sessions.isFaulty(row.session)) return false;
      this.#write(row, written);
      if (!this.#context.isUnlucky()) return true;
      this.kv.get(row.session)?.fill(GARBAGE, row.position);
      if (row.guess !== undefined) {
        // what a guess comes to must not end its request
        this.#sessions.cancelGuesses(row.session, row.position);
        return false;
      }
      failed.push(...this.#inject(row.session));
      return false;
    });
    const { kvTokens } = this.#context;
    assert.ok(this.heldTokens <= kvTokens, `${this.heldTokens} tokens where ${kvTokens} have room`);
    const told = new Set(ops.map((op) => (op.op === 'fail' ? op.session : undefined)));
    const left = this.#worthwhile(rows, ids, () => true);
    const passedOps = [...ops, ...failed.filter(({ session }) => !told.has(session))];
    return { passed: { step, ops: passedOps, ...left }, failed, sound };
  }

  #worthwhile(
    rows: readonly Row[],
    ids: readonly number[],
    isOpen: (row: Row, taken: ReadonlySet<number>) => boolean,
  ): Pick<ScheduledStep, 'rows' | 'ids'> {
    const taken = new Set<number>();
    const kept: Pick<ScheduledStep, 'rows' | 'ids'> = { rows: [], ids: [] };
    let begin = 0;
    for (const row of rows) {
      const own = ids.slice(begin, begin + row.count);
      begin += row.count;
      if (row.guess !== undefined && (this.#sessions.isCancelled(row) || !isOpen(row, taken))) continue;
      taken.add(row.session);
      kept.rows.push(row);
      kept.ids.push(...own);
    }
    return kept;
  }

  #apply(op: SessionOp): FailOp[] {
    if (op.op !== 'sync') return this.#applyToOne(op);
    const faults = this.#sessions.sync(op.sessions);
    return faults.map(({ session }) => failOp(session));
  }

  #applyToOne(op: OneSessionOp): FailOp[] {
    this.#known.add(op.session);
    const fault = this.#sessions.apply(op);
    if (op.op === 'fail') return fault ? [op] : [];
    if (!fault) return [];
    const isInherited = op.op === 'open' && op.from && this.#context.broken.has(op.from.session);
    assert.ok(isInherited || fault.message.includes(INJECTED), `a fault came by itself: ${fault.message}`);
    this.#context.broken.add(op.session);
    return [failOp(op.session)];
  }

  #inject(session: number): FailOp[] {
    return this.#sessions.fail(session, 'engine_failed', INJECTED) ? [failOp(session)] : [];
  }

  #adopt(session: number, { session: source, length, take }: SessionSource): void {
    if (this.#context.isUnlucky()) throw new Error(INJECTED);
    const tokens = this.kv.get(source) as number[];
    if (take) this.kv.delete(source);
    this.kv.set(session, tokens.slice(0, length));
  }

  #write(row: Row, ids: readonly number[]): void {
    const tokens = this.kv.get(row.session) ?? [];
    tokens.push(...ids);
    this.kv.set(row.session, tokens);
    this.#sessions.grow(row);
    assert.equal(tokens.length, row.position + row.count);
    if (row.guess !== undefined) return; // what it is worth shows when a token is drawn
    const { request, drawn } = this.requestOf(row.session) as Asked;
    const { length } = request.promptIds;
    // by hand: deepEqual takes a hundred times as long, and most of the tests' time
    const wrong = tokens.findIndex(
      (token, at) => token !== (at < length ? request.promptIds[at] : drawn[at - length]),
    );
    assert.equal(wrong, -1, `token ${wrong} of session ${row.session} is not that of ${request.requestId}`);
  }
}

function failOp(session: number): FailOp {
  return { op: 'fail', session, code: 'engine_failed', message: INJECTED };
}
