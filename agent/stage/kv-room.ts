// Decides which KV is kept, shared and given up, in the head's scheduler. Pure: it tells its decisions as session
// operations, which travel in step frames, so that every stage carries them out alike and in the same order.
import type { KvUse } from '../../protocol/stage.ts';
import type { OneSessionOp, SessionSource } from '../engine/step.ts';
import { commonLength, type KeptSession, KeptSessions } from './kept-sessions.ts';
import { KvLedger } from './kv-ledger.ts';

/** Fewer common tokens are not worth a copy: most prompts begin with the same few marks of their template. */
const MIN_SHARED_TOKENS = 16;

/** Where a new session's KV can come from, with what its decision depends on. */
interface Match {
  source: KeptSession;
  isKept: boolean;
  length: number;
}

export class KvRoom {
  readonly #ledger: KvLedger;
  readonly #kept = new KeptSessions();
  readonly #maxKept: number;
  readonly #tell: (op: OneSessionOp) => void;

  /** @param tokens that the smallest stage has room for @param tell takes each decision, in order */
  constructor(tokens: number, maxKept: number, tell: (op: OneSessionOp) => void) {
    this.#ledger = new KvLedger(tokens);
    this.#maxKept = maxKept;
    this.#tell = tell;
  }

  get use(): KvUse {
    const { capacityTokens: totalTokens, freeTokens } = this.#ledger;
    const keptTokens = this.#keptTokens();
    return { totalTokens, liveTokens: totalTokens - freeTokens - keptTokens, keptTokens };
  }

  /**
   * Makes room for a new session's prompt and the token after it, and finds KV to begin with. The caller opens the
   * session with it before it asks for anything else.
   * @param live the running sessions, each with the tokens whose KV no later step of theirs changes
   * @returns undefined when the prompt must wait until others end; nothing has changed then
   */
  open(
    id: number,
    promptIds: readonly number[],
    live: Iterable<KeptSession>,
  ): { from: SessionSource | undefined } | undefined {
    const needed = promptIds.length + 1;
    const match = this.#match(promptIds, live);
    if (!match) return this.grow(id, needed) ? { from: undefined } : undefined;
    const { source, isKept, length } = match;
    // a copy needs room for both; where there is none, a kept session gives up its own end
    const beside = this.#freeTokens(isKept ? source.id : undefined);
    const take = isKept && (length === source.tokens.length || beside < needed);
    if (take) {
      if (this.#freeTokens() < needed) return undefined;
      this.#kept.remove(source.id);
      this.#ledger.move(source.id, id);
      this.#ledger.shrink(id, needed);
    } else {
      if (beside < needed) return undefined;
      this.#kept.touch(source.id);
    }
    if (!this.grow(id, needed)) throw new Error('the KV that was counted as free is not');
    return { from: { session: source.id, length, take } };
  }

  /** Lets a session hold `tokens`, at the cost of what is kept. @returns false where that is not enough */
  grow(id: number, tokens: number): boolean {
    while (!this.#ledger.reserve(id, tokens)) {
      if (this.#freeTokens() + this.#ledger.of(id) < tokens || !this.#evict()) return false;
    }
    return true;
  }

  /** The same without cost for anybody: from what is free. */
  growFree(id: number, tokens: number): boolean {
    return this.#ledger.reserve(id, tokens);
  }

  /** A session goes on from its first tokens: what was guessed behind them was wrong. */
  cut(id: number, length: number): void {
    this.#ledger.shrink(id, length);
    this.#tell({ op: 'trim', session: id, length });
  }

  /** What is kept, least recently used first. */
  get kept(): KeptSession[] {
    return [...this.#kept.all()];
  }

  /** Keeps what a session holds since an earlier deployment, and gives up what does not fit beside it. */
  restore({ id, tokens }: KeptSession): void {
    if (this.grow(id, tokens.length)) this.end(id, tokens, tokens.length);
  }

  /** A session's request goes on without its KV. */
  forget(id: number): void {
    this.#ledger.release(id);
    this.#tell({ op: 'trim', session: id, length: 0 });
  }

  /**
   * A request is over.
   * @param tokens whose KV every stage surely has; undefined where it is not to be used again
   * @param heldTokens of KV that the stages hold when all steps in flight are through, at least those
   */
  end(id: number, tokens: readonly number[] | undefined, heldTokens: number): void {
    if (!tokens || tokens.length < MIN_SHARED_TOKENS) {
      this.#drop(id);
      return;
    }
    this.#ledger.shrink(id, heldTokens);
    const needless = this.#kept.keep({ id, tokens });
    if (!needless.includes(id)) this.#tell({ op: 'keep', session: id });
    for (const other of needless) this.#drop(other);
    while (this.#kept.count > this.#maxKept) this.#evict();
  }

  /** A session whose request is over cannot be used: nothing is to begin with it, and no stage is to hold any of it. */
  spoil(id: number): void {
    this.#kept.remove(id);
    this.#drop(id);
  }

  #match(promptIds: readonly number[], live: Iterable<KeptSession>): Match | undefined {
    let best: Match | undefined;
    const consider = (source: KeptSession, isKept: boolean) => {
      // the prompt's last token is always computed: the answer's first one is drawn from it
      const length = Math.min(commonLength(source.tokens, promptIds), promptIds.length - 1);
      if (length >= MIN_SHARED_TOKENS && length > (best?.length ?? 0)) best = { source, isKept, length };
    };
    for (const session of this.#kept.all()) consider(session, true);
    for (const session of live) consider(session, false);
    return best;
  }

  /** Tokens that nobody runs on, in whole blocks. @param without a kept session that must stay */
  #freeTokens(without?: number): number {
    const stays = without === undefined ? 0 : this.#ledger.of(without);
    return this.#ledger.freeTokens + this.#keptTokens() - stays;
  }

  #keptTokens(): number {
    let sum = 0;
    for (const { id } of this.#kept.all()) sum += this.#ledger.of(id);
    return sum;
  }

  #evict(): boolean {
    const oldest = this.#kept.evict();
    if (oldest) this.#drop(oldest.id);
    return oldest !== undefined;
  }

  #drop(id: number): void {
    this.#ledger.release(id);
    this.#tell({ op: 'drop', session: id });
  }
}
