// The sessions of one stage: how many tokens of KV each has, and which of them cannot be computed any more. A fault
// costs the session that it belongs to, never the stage. It knows no tensor; the KV itself is the model's.
import { asEspalierError, type ErrorCode } from '../../protocol/errors.ts';
import { kvCapacity } from '../../protocol/limits.ts';
import type { KeptLength, OneSessionOp, Row, SessionOp, StageModel } from './step.ts';

export interface SessionLimits {
  /** the longest session */
  contextTokens: number;
  /** sessions with a request */
  maxSessions: number;
  /** tokens of KV that all sessions have room for together, each counted in whole blocks */
  kvTokens: number;
}

export type OpenOp = SessionOp & { op: 'open' };

export interface Session {
  /** tokens whose KV is written */
  length: number;
  /** undefined once the request is over and only the KV is kept */
  open: OpenOp | undefined;
}

/** Why a session is not computed any more. */
export interface Fault {
  session: number;
  /** undefined where the session was never opened, or its request was over */
  requestId: string | undefined;
  code: ErrorCode;
  message: string;
}

export type KvStore = Pick<StageModel, 'adopt' | 'trim' | 'drop'>;

export class Sessions {
  #limits: SessionLimits;
  readonly #kv: KvStore;
  /** what messages call this stage, e.g. `layers 0–3` */
  readonly #stage: () => string;
  readonly #sessions = new Map<number, Session>();
  readonly #faulty = new Set<number>();
  /** guesses of a session from this position on are wrong, until it is trimmed */
  readonly #cancelled = new Map<number, number>();

  constructor(limits: SessionLimits, kv: KvStore, stage: () => string) {
    this.#limits = limits;
    this.#kv = kv;
    this.#stage = stage;
  }

  /** sessions with a request */
  get running(): number {
    let count = 0;
    for (const { open } of this.#sessions.values()) if (open) count += 1;
    return count;
  }

  get(id: number): Session | undefined {
    return this.#sessions.get(id);
  }

  isFaulty(id: number): boolean {
    return this.#faulty.has(id);
  }

  /** Guesses of a session from this position on are wrong: their rows are not computed, until it is trimmed. */
  cancelGuesses(id: number, position: number): void {
    if (this.#sessions.has(id))
      this.#cancelled.set(id, Math.min(position, this.#cancelled.get(id) ?? position));
  }

  isCancelled({ session, position, guess }: Row): boolean {
    return guess !== undefined && position >= (this.#cancelled.get(session) ?? Number.POSITIVE_INFINITY);
  }

  /** From now on these hold. What exceeds them already is the caller's to end. */
  limit(limits: SessionLimits): void {
    this.#limits = limits;
  }

  /** Forgets all sessions and their KV. */
  clear(): void {
    for (const id of this.#sessions.keys()) this.#kv.drop(id);
    this.#sessions.clear();
    this.#faulty.clear();
    this.#cancelled.clear();
  }

  /**
   * Ends all requests, and keeps of each named session its first tokens and of all others nothing: whatever a stage did
   * of steps that others may not have seen.
   * @returns a fault for each session that cannot be kept, each time that it is asked for
   */
  sync(kept: readonly KeptLength[]): Fault[] {
    this.#cancelled.clear();
    const ids = new Set(kept.map(({ session }) => session));
    for (const id of [...this.#sessions.keys(), ...this.#faulty]) if (!ids.has(id)) this.#forget(id);
    return kept.flatMap(({ session: id, length }) => {
      const wrong = this.#cutBack(id, length);
      if (wrong === undefined) return [];
      this.#forget(id);
      return {
        session: id,
        requestId: undefined,
        code: 'engine_failed',
        message: `${this.#stage()}: ${wrong}`,
      };
    });
  }

  /** Does one operation of a step frame. @returns the fault that is new with it, if any */
  apply(op: OneSessionOp): Fault | undefined {
    if (op.op === 'fail') return this.fail(op.session, op.code, op.message);
    try {
      const wrong = op.op === 'open' ? this.#open(op) : this.#change(op);
      return wrong === undefined ? undefined : this.#refuse(op, 'engine_failed', wrong);
    } catch (error) {
      return this.#refuse(op, 'engine_failed', asEspalierError(error).message);
    } finally {
      // the head counts it as gone, whether the new session could be opened or not
      if (op.op === 'open' && op.from?.take) this.#forget(op.from.session);
    }
  }

  /** A session is given up until it is dropped. @returns undefined where it was given up already */
  fail(id: number, code: ErrorCode, message: string): Fault | undefined {
    if (this.#faulty.has(id)) return undefined;
    this.#faulty.add(id);
    return { session: id, requestId: this.#sessions.get(id)?.open?.requestId, code, message };
  }

  /**
   * Finds what is wrong with a row before MLX sees it.
   * @param length tokens that its session has when it is computed: those of earlier rows of the step among them
   * @returns the fault that is new with it, if any
   */
  check(row: Row, length = this.#sessions.get(row.session)?.length ?? 0): Fault | undefined {
    const { session: id, position, count } = row;
    const session = this.#sessions.get(id);
    const refuse = (code: ErrorCode, what: string) => this.fail(id, code, `${this.#stage()}: ${what}`);
    if (!session?.open) return refuse('engine_failed', `session ${id} is not open`);
    if (position !== length) {
      return refuse('engine_failed', `session ${id} has ${length} tokens, a row begins at ${position}`);
    }
    if (position + count > this.#limits.contextTokens) {
      return refuse(
        'kv_full',
        `session ${id} would exceed the context of ${this.#limits.contextTokens} tokens`,
      );
    }
    const more = kvCapacity(position + count) - kvCapacity(position);
    if (more > 0 && this.#kvTokens() + more > this.#limits.kvTokens) {
      return refuse('kv_full', `no KV for ${count} more tokens: it holds ${this.#limits.kvTokens} in all`);
    }
    return undefined;
  }

  /** A row was computed: its tokens' KV is written. */
  grow({ session, position, count }: Row): void {
    const grown = this.#sessions.get(session);
    if (grown) grown.length = position + count;
  }

  #open(op: OpenOp): string | undefined {
    const { session: id, from } = op;
    const { running } = this;
    if (this.#sessions.has(id)) return `session ${id} is open already`;
    if (running >= this.#limits.maxSessions) return `no room for another session beside ${running}`;
    if (from && (this.#sessions.get(from.session)?.length ?? 0) < from.length) {
      return `session ${from.session} has no ${from.length} tokens to begin session ${id} with`;
    }
    if (from) this.#kv.adopt(id, from);
    this.#sessions.set(id, { length: from?.length ?? 0, open: op });
    return undefined;
  }

  /** Keeps a session's first tokens only. @returns why that cannot be */
  #cutBack(id: number, length: number): string | undefined {
    const session = this.#sessions.get(id);
    if (this.#faulty.has(id)) return `session ${id} was given up`;
    if (!session || session.length < length) return `session ${id} has no ${length} tokens`;
    try {
      this.#kv.trim(id, length);
    } catch (error) {
      return asEspalierError(error).message;
    }
    session.length = length;
    session.open = undefined;
    return undefined;
  }

  #change(op: Exclude<OneSessionOp, { op: 'open' | 'fail' }>): string | undefined {
    const { session: id } = op;
    if (op.op === 'drop') {
      this.#forget(id);
      return undefined;
    }
    if (op.op === 'trim') this.#cancelled.delete(id);
    const session = this.#sessions.get(id);
    if (!session) return `session ${id} is not open`;
    if (op.op === 'keep') {
      session.open = undefined;
      return undefined;
    }
    if (op.length > session.length) return `session ${id} has ${session.length} tokens, not ${op.length}`;
    this.#kv.trim(id, op.length);
    session.length = op.length;
    return undefined;
  }

  #forget(id: number): void {
    this.#faulty.delete(id);
    this.#cancelled.delete(id);
    this.#sessions.delete(id);
    this.#kv.drop(id);
  }

  #refuse(op: OneSessionOp, code: ErrorCode, what: string): Fault | undefined {
    const fault = this.fail(op.session, code, `${this.#stage()}: ${what}`);
    return fault && op.op === 'open' ? { ...fault, requestId: op.requestId } : fault;
  }

  /** Tokens that the sessions have room for now, in whole blocks. */
  #kvTokens(): number {
    let sum = 0;
    for (const { length } of this.#sessions.values()) sum += kvCapacity(length);
    return sum;
  }
}
