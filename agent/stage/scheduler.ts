// The head stage's scheduler: which rows make up the next step. Pure: requests, cancels and completed steps in, steps
// out; no clock, no I/O. As many steps are in flight as there are stages, so that every stage has work.
import type { GenerateRequest } from '../../protocol/generate.ts';
import { MAX_CONTINUED_OPENS, MAX_KEPT_SESSIONS } from '../../protocol/limits.ts';
import type { KvUse } from '../../protocol/stage.ts';
import type { Row, SessionOp, Step } from '../engine/step.ts';
import { type ChunkLimits, chunkTokens } from './chunk.ts';
import type { CancelledGuesses, SampledToken } from './frame.ts';
import { type GuessWish, guessWishOf, restOfGuesses } from './guess-wish.ts';
import type { Verdict } from './guesses.ts';
import { KvRoom } from './kv-room.ts';
import { openOp } from './open-op.ts';
import { newSession, type Session, SessionQueues } from './session.ts';
import { WaitingRequests } from './waiting-requests.ts';

export interface SchedulerOptions extends ChunkLimits {
  maxSessions: number;
  maxWaiting: number;
  /** rows in one step */
  maxRows: number;
  /** tokens of KV that every stage has room for */
  kvTokens: number;
}

export interface ScheduledStep extends Step {
  /** the token ids of all rows, in order */
  ids: number[];
}

/** What became of a running request with a step that came back. */
export interface Judged {
  session: number;
  requestId: string;
  /** the token that was drawn; undefined where there is none */
  token: number | undefined;
  verdict: Verdict;
  /** it has no session any more */
  isOver: boolean;
}

/** Of the sessions, for requests that nobody waits for. */
const BACKGROUND_SHARE = 1 / 4;

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #kv: KvRoom;
  readonly #sessions = new Map<number, Session>();
  readonly #waiting: WaitingRequests;
  readonly #queues = new SessionQueues();
  /** guesses that turned out wrong, of which stages may still have rows to compute */
  #cancelled: CancelledGuesses[] = [];
  /** what the next step does to sessions */
  readonly #ops: SessionOp[] = [];
  /** the rows of each step that did not come back yet */
  readonly #inFlight = new Map<number, readonly Row[]>();
  #lastStep = 0;
  #lastSession = 0;
  /** the step that makes all stages agree on what is kept of an earlier deployment, until it came back */
  #sync: number | undefined;

  /** @param before the scheduler of an earlier deployment, whose KV all stages still hold */
  constructor(options: SchedulerOptions, before?: Scheduler) {
    this.#options = options;
    this.#waiting = new WaitingRequests(options.maxWaiting);
    this.#kv = new KvRoom(options.kvTokens, MAX_KEPT_SESSIONS, (op) => this.#ops.push(op));
    if (before) this.#goOn(before);
  }

  /**
   * Keeps what is surely in every stage's KV. Stages may differ in all that was in flight when a hop broke, so the first
   * step tells them nothing but what stays, and no other one begins before it was heard of everybody.
   */
  #goOn(before: Scheduler): void {
    this.#lastSession = before.#lastSession;
    for (const session of before.#kv.kept) this.#kv.restore(session);
    for (const { id, tokens, settled } of before.#sessions.values()) {
      this.#kv.restore({ id, tokens: tokens.slice(0, settled) });
    }
    const sessions = this.#kv.kept.map(({ id, tokens }) => ({ session: id, length: tokens.length }));
    this.#ops.splice(0, this.#ops.length, { op: 'sync', sessions });
    this.#sync = this.#lastStep + 1;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  get waitingCount(): number {
    return this.#waiting.count;
  }

  get stepsInFlight(): number {
    return this.#inFlight.size;
  }

  /** How many tokens of KV are free for another request: all but the live ones. */
  get kvUse(): KvUse {
    return this.#kv.use;
  }

  /** Whether `next` would probably give a step now. */
  get hasWork(): boolean {
    const isFree = this.#isFree;
    const isAdmitting = this.#waiting.count > 0 && this.#sessions.size < this.#options.maxSessions;
    return (
      isFree &&
      (isAdmitting || this.#queues.decodable.length + this.#queues.prefilling.length + this.#ops.length > 0)
    );
  }

  /**
   * Takes a request into the queue. Its answer ends where the KV of all stages does, even if nobody else is there.
   * @throws EspalierError queue_full, kv_full, invalid_request
   */
  add(request: GenerateRequest): void {
    this.#waiting.add(request, this.#kv.use.totalTokens);
  }

  /** Ends a request at the next step. A request that is not known (any more) is no error. */
  cancel(requestId: string): void {
    this.#waiting.remove(requestId);
    for (const session of this.#sessions.values()) {
      if (session.request.requestId === requestId) this.#close(session, true);
    }
  }

  /** Ends all requests; their KV is kept. */
  cancelAll(): void {
    this.#waiting.clear();
    for (const session of [...this.#sessions.values()]) this.#close(session, true);
  }

  /**
   * A step came back from the last stage. Tokens of sessions that were closed meanwhile are ignored.
   * @returns what became of the running requests that it was about
   */
  complete(step: number, sampled: readonly SampledToken[]): Judged[] {
    const rows = this.#inFlight.get(step) ?? [];
    this.#settle(step);
    if (step === this.#sync) this.#sync = undefined;
    const judged: Judged[] = [];
    for (const { session: id, token, outcome } of sampled) {
      const session = this.#sessions.get(id);
      if (!session) {
        // it was cancelled, and may be kept, while a stage found that it cannot be computed
        if (outcome === 'failed') this.#kv.spoil(id);
        continue;
      }
      const { requestId } = session.request;
      if (outcome === 'next' && token !== undefined) {
        const verdict = this.#take(session, token);
        judged.push({ session: id, requestId, token, verdict, isOver: false });
      } else {
        if (outcome !== 'failed') session.settled = session.tokens.length;
        judged.push({ session: id, requestId, token, verdict: 'none', isOver: true });
        this.#close(session, outcome !== 'failed');
      }
    }
    this.#sendLostAgain(step, rows);
    return judged;
  }

  /** A token was drawn: the row of a right guess is the session's next row, and on its way already. */
  #take(session: Session, token: number): Verdict {
    session.settled = session.tokens.length;
    session.tokens.push(token);
    const verdict = session.guesses.judge(token);
    if (verdict === 'right') return verdict;
    session.isAwaiting = false;
    this.#queues.decodable.push(session);
    if (verdict === 'wrong') this.#cutBack(session);
    return verdict;
  }

  /** All rows behind the tokens that are known are of no use: what they wrote goes with the next step. */
  #cutBack(session: Session): void {
    const { id, settled } = session;
    session.guesses.clear();
    session.cuts += 1;
    session.sent = settled;
    session.forgottenAt = this.#lastStep;
    this.#kv.cut(id, settled);
    this.#cancelled.push({ session: id, position: settled });
  }

  /** A guess that was right, but that a stage could not compute while it was only a guess: its row is sent as a real one. */
  #sendLostAgain(step: number, rows: readonly Row[]): void {
    for (const { session: id, position, guess } of rows) {
      const session = guess === undefined ? undefined : this.#sessions.get(id);
      const isLost =
        session?.isAwaiting && step > session.forgottenAt && position === session.tokens.length - 1;
      if (!session || !isLost) continue;
      session.isAwaiting = false;
      this.#queues.decodable.push(session);
      this.#cutBack(session);
    }
  }

  /** Guesses that turned out wrong since the last call: stages that have not computed their rows need not. */
  takeCancelled(): CancelledGuesses[] {
    return this.#cancelled.splice(0);
  }

  /** The next step to run now, or undefined when all slots are taken or there is nothing to do. */
  next(): ScheduledStep | undefined {
    if (!this.#isFree) return undefined;
    const rows: Row[] = [];
    const ids: number[] = [];
    if (this.#sync === undefined) {
      // running streams first: what they need is not given to new ones
      this.#addDecodeRows(rows, ids);
      this.#resume();
      this.#admit();
      this.#addChunk(rows, ids);
    }
    const ops = this.#ops.splice(0);
    if (rows.length === 0 && ops.length === 0) return undefined;
    const step = ++this.#lastStep;
    this.#inFlight.set(step, rows);
    return { step, ops, rows, ids };
  }

  /**
   * Whose next token could be guessed now, and sent in a slot that nobody needs: undefined where every slot is taken, or
   * the streams that are there fill the pipeline themselves. To be asked when `next` gave nothing.
   */
  guessWish(): GuessWish | undefined {
    const { stageCount } = this.#options;
    const isIdle = this.#sessions.size + this.#waiting.count < stageCount && this.#queues.paused.length === 0;
    if (!this.#isFree || this.#sync !== undefined || !isIdle) return undefined;
    return guessWishOf(this.#sessions.values());
  }

  /**
   * A step of guesses, each a row of its own, behind all that was sent of the session. Of those whose places were taken
   * since they were made only the rest is sent, if the tokens there are what was guessed.
   * @param wish for which they were made, and `begin`, how many tokens and guesses the session had then
   * @param guesses at least one
   * @returns undefined where they are of no use any more, or have no room: they are forgotten
   */
  nextGuess(
    { session: id, begin, cuts }: { session: number; begin: number; cuts: number },
    guesses: readonly number[],
  ): ScheduledStep | undefined {
    const session = this.#sessions.get(id);
    const wish = this.guessWish();
    if (!session || wish?.session !== id || wish.cuts !== cuts) return undefined;
    const { from, ids } = restOfGuesses(wish, begin, guesses);
    if (ids.length === 0 || ids.length > this.#options.maxRows) return undefined;
    if (!this.#kv.growFree(id, from + ids.length)) return undefined;
    const rows = ids.map(
      (guess, i): Row => ({ session: id, position: from + i, count: 1, sample: true, guess }),
    );
    for (const guess of ids) session.guesses.add(guess);
    session.sent = from + ids.length;
    const step = ++this.#lastStep;
    this.#inFlight.set(step, rows);
    return { step, ops: this.#ops.splice(0), rows, ids: [...ids] };
  }

  /** Whether a session has a request that runs. */
  isRunning(session: number): boolean {
    return this.#sessions.has(session);
  }

  /** Whether another step may begin. */
  get #isFree(): boolean {
    const most = this.#sync === undefined ? this.#options.stageCount : 1;
    return this.#inFlight.size < most;
  }

  #addDecodeRows(rows: Row[], ids: number[]): void {
    const share = this.#decodeShare();
    for (const session of [...this.#queues.decodable]) {
      if (rows.length >= share) return;
      // whoever finds no room keeps its place; whoever just paused for an older one has none any more
      if (!this.#queues.decodable.includes(session) || !this.#makeRoom(session)) continue;
      this.#queues.leave(session);
      this.#addRow(session, 1, rows, ids);
    }
  }

  /** Decoding sessions are spread over the steps in flight: one step with all of them would leave the others empty. */
  #decodeShare(): number {
    const decoding = this.#sessions.size - this.#queues.prefilling.length - this.#queues.paused.length;
    return Math.min(Math.max(1, Math.ceil(decoding / this.#options.stageCount)), this.#options.maxRows - 1);
  }

  /** Room for one more token of a running stream, if need be at the cost of those that came after it. */
  #makeRoom(session: Session): boolean {
    while (!this.#kv.grow(session.id, session.sent + 1)) {
      const youngest = [...this.#sessions.values()]
        .filter((other) => other.id > session.id && !this.#queues.paused.includes(other))
        .at(-1);
      // whose token is on its way pauses when it is here: an older one in its place would wait for it to end
      if (!youngest || youngest.isAwaiting) return false;
      this.#pause(youngest);
    }
    return true;
  }

  #pause(session: Session): void {
    this.#queues.leave(session);
    this.#kv.forget(session.id);
    session.sent = 0;
    session.settled = 0;
    session.forgottenAt = this.#lastStep;
    this.#queues.paused.push(session);
  }

  /** Paused sessions go on in the order in which they came, before anybody new is admitted. */
  #resume(): void {
    this.#queues.paused.sort((a, b) => a.id - b.id);
    for (let session = this.#queues.paused[0]; session; session = this.#queues.paused[0]) {
      if (!this.#kv.grow(session.id, session.tokens.length + 1)) return;
      this.#queues.paused.shift();
      this.#queues.prefilling.push(session);
    }
  }

  #admit(): void {
    let continued = 0;
    while (this.#queues.paused.length === 0 && this.#sessions.size < this.#options.maxSessions) {
      const request = this.#waiting.first;
      if (!request || (request.isBackground && !this.#hasBackgroundRoom())) return;
      const { promptIds, generatedIds = [] } = request;
      // what the stages are told of an answer so far may be long
      if (generatedIds.length > 0 && ++continued > MAX_CONTINUED_OPENS) return;
      const id = this.#lastSession + 1;
      const tokens = [...promptIds, ...generatedIds];
      const room = this.#kv.open(id, tokens, this.#settledPrompts());
      if (!room) return;
      this.#waiting.shift();
      this.#lastSession = id;
      const sent = room.from?.length ?? 0;
      const session = newSession(id, request, tokens, sent);
      this.#sessions.set(id, session);
      this.#queues.prefilling.push(session);
      this.#ops.push(openOp(id, request, room.from));
    }
  }

  /** Whether another request that nobody waits for leaves enough sessions for those that somebody does. */
  #hasBackgroundRoom(): boolean {
    let count = 0;
    for (const { request } of this.#sessions.values()) if (request.isBackground) count += 1;
    return count < Math.max(1, Math.floor(this.#options.maxSessions * BACKGROUND_SHARE));
  }

  /** A step is through: what it wrote is in every stage's KV. */
  #settle(step: number): void {
    for (const { session: id, position, count, guess } of this.#inFlight.get(step) ?? []) {
      const session = this.#sessions.get(id);
      // a guess is settled when a token is drawn after it
      if (session && guess === undefined && step > session.forgottenAt) session.settled = position + count;
    }
    this.#inFlight.delete(step);
  }

  /** The prompts of running sessions as far as they are settled: others must not inherit what a stage may still refuse. */
  *#settledPrompts(): Iterable<{ id: number; tokens: number[] }> {
    for (const { id, request, settled } of this.#sessions.values()) {
      const { promptIds } = request;
      if (settled > 0)
        yield { id, tokens: settled < promptIds.length ? promptIds.slice(0, settled) : promptIds };
    }
  }

  /** One chunk of the prompt whose turn it is; the next chunk of the same prompt may follow in the very next step. */
  #addChunk(rows: Row[], ids: number[]): void {
    const session =
      this.#queues.prefilling.find(({ request }) => !request.isBackground) ?? this.#queues.prefilling[0];
    if (!session) return;
    this.#queues.leave(session);
    const { sent, tokens } = session;
    const isAlone = this.#sessions.size === this.#queues.prefilling.length + this.#queues.paused.length + 1;
    this.#addRow(session, chunkTokens(this.#options, sent, tokens.length - sent, isAlone), rows, ids);
    if (!session.isAwaiting) this.#queues.prefilling.push(session);
  }

  #addRow(session: Session, count: number, rows: Row[], ids: number[]): void {
    const { id, tokens, sent: position } = session;
    session.sent += count;
    session.isAwaiting = session.sent === tokens.length;
    rows.push({ session: id, position, count, sample: session.isAwaiting });
    for (const token of tokens.slice(position, session.sent)) ids.push(token);
  }

  /** Its KV is kept or goes with the next step; steps that are in flight with it end by themselves. */
  #close(session: Session, isSound: boolean): void {
    const { id, tokens, settled } = session;
    this.#sessions.delete(id);
    this.#queues.leave(session);
    // stages may hold more or less of what was guessed: here they come to hold the same again
    if (session.guesses.ids.length > 0) this.#cutBack(session);
    const { sent } = session;
    this.#kv.end(id, isSound ? tokens.slice(0, settled) : undefined, sent);
  }
}
