// The head stage's scheduler: which rows make up the next step. Pure: requests, cancels and completed steps in, steps
// out; no clock, no I/O. As many steps are in flight as there are stages, so that every stage has work.
import { EspalierError } from '../../protocol/errors.ts';
import type { GenerateRequest } from '../../protocol/generate.ts';
import { MAX_CONTINUED_OPENS, MAX_KEPT_SESSIONS } from '../../protocol/limits.ts';
import type { KvUse } from '../../protocol/stage.ts';
import type { Row, SessionOp, Step } from '../engine/step.ts';
import { type ChunkLimits, chunkTokens } from './chunk.ts';
import type { CancelledGuesses, SampledToken } from './frame.ts';
import { Guesses, type Verdict } from './guesses.ts';
import { KvRoom } from './kv-room.ts';
import { openOp } from './open-op.ts';

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

/** A session for which a guess could be sent now. */
export interface GuessWish {
  session: number;
  request: GenerateRequest;
  /** the prompt and the answer so far */
  tokens: readonly number[];
  /** what was guessed behind them already, and is on its way */
  guessed: readonly number[];
  /** how many more tokens may be guessed, at least 1 */
  most: number;
  /** how often guesses of the session were wrong: what was guessed before such a cut is of no use after it */
  cuts: number;
}

/** Of the sessions, for requests that nobody waits for. */
const BACKGROUND_SHARE = 1 / 4;

interface Session {
  id: number;
  request: GenerateRequest;
  /** the prompt and the answer so far */
  tokens: number[];
  /** how many of them went into steps */
  sent: number;
  /** how many of them are surely in every stage's KV: the steps with them came back, and no stage found a fault */
  settled: number;
  /** the last step before it gave up its KV: what this one and those before it wrote is gone */
  forgottenAt: number;
  /** its next token is on its way */
  isAwaiting: boolean;
  /** the tokens after `tokens` that were guessed and are on their way; `sent` counts them as well */
  guesses: Guesses;
  /** how often they were wrong */
  cuts: number;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #kv: KvRoom;
  readonly #sessions = new Map<number, Session>();
  readonly #waiting: GenerateRequest[] = [];
  /** sessions of which more than the newest token is not sent, taken in turn */
  readonly #prefilling: Session[] = [];
  /** sessions whose newest token alone is not sent, in the order in which it came */
  readonly #decodable: Session[] = [];
  /** sessions that had to give up their KV, which is computed again when there is room */
  readonly #paused: Session[] = [];
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
    return this.#waiting.length;
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
    const isAdmitting = this.#waiting.length > 0 && this.#sessions.size < this.#options.maxSessions;
    return isFree && (isAdmitting || this.#decodable.length + this.#prefilling.length + this.#ops.length > 0);
  }

  /**
   * Takes a request into the queue. Its answer ends where the KV of all stages does, even if nobody else is there.
   * @throws EspalierError queue_full, kv_full
   */
  add(request: GenerateRequest): void {
    if (this.#waiting.length >= this.#options.maxWaiting) {
      throw new EspalierError('queue_full', `${this.#waiting.length} requests are waiting already`);
    }
    const { totalTokens } = this.#kv.use;
    const { promptIds, generatedIds = [] } = request;
    if (generatedIds.length >= request.maxTokens) {
      throw new EspalierError('invalid_request', `the answer has its ${request.maxTokens} tokens already`);
    }
    const roomTokens = totalTokens - promptIds.length;
    if (roomTokens <= generatedIds.length) {
      const what = `a prompt of ${promptIds.length + generatedIds.length} tokens does not fit`;
      throw new EspalierError(
        'kv_full',
        `${what}: the stages have KV for ${totalTokens}, the answer included`,
      );
    }
    // what nobody waits for begins after all others
    const behind = request.isBackground ? -1 : this.#waiting.findIndex((other) => other.isBackground);
    const place = behind < 0 ? this.#waiting.length : behind;
    this.#waiting.splice(place, 0, { ...request, maxTokens: Math.min(request.maxTokens, roomTokens) });
  }

  /** Ends a request at the next step. A request that is not known (any more) is no error. */
  cancel(requestId: string): void {
    remove(this.#waiting, (request) => request.requestId === requestId);
    for (const session of this.#sessions.values()) {
      if (session.request.requestId === requestId) this.#close(session, true);
    }
  }

  /** Ends all requests; their KV is kept. */
  cancelAll(): void {
    this.#waiting.length = 0;
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
    this.#decodable.push(session);
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
      this.#decodable.push(session);
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
    const isIdle = this.#sessions.size + this.#waiting.length < stageCount && this.#paused.length === 0;
    if (!this.#isFree || this.#sync !== undefined || !isIdle) return undefined;
    let best: GuessWish | undefined;
    for (const { id, request, tokens, guesses, isAwaiting, cuts } of this.#sessions.values()) {
      const guessed = guesses.ids;
      // the row of the last guess may draw the last token
      const most = request.promptIds.length + request.maxTokens - tokens.length - guessed.length - 1;
      const isBehind = best !== undefined && guessed.length >= best.guessed.length;
      if (!isAwaiting || most < 1 || isBehind) continue;
      best = { session: id, request, tokens, guessed, most, cuts };
    }
    return best;
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
    const text = [
      ...wish.tokens.slice(begin),
      ...wish.guessed.slice(Math.max(0, begin - wish.tokens.length)),
    ];
    const rest = guesses.slice(text.length);
    if (rest.length === 0 || text.some((token, i) => token !== guesses[i])) return undefined;
    if (rest.length > Math.min(wish.most, this.#options.maxRows)) return undefined;
    const end = begin + text.length;
    if (!this.#kv.growFree(id, end + rest.length)) return undefined;
    const rows = rest.map(
      (guess, i): Row => ({ session: id, position: end + i, count: 1, sample: true, guess }),
    );
    for (const guess of rest) session.guesses.add(guess);
    session.sent = end + rest.length;
    const step = ++this.#lastStep;
    this.#inFlight.set(step, rows);
    return { step, ops: this.#ops.splice(0), rows, ids: rest };
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
    for (const session of [...this.#decodable]) {
      if (rows.length >= share) return;
      // whoever finds no room keeps its place; whoever just paused for an older one has none any more
      if (!this.#decodable.includes(session) || !this.#makeRoom(session)) continue;
      remove(this.#decodable, (other) => other === session);
      this.#addRow(session, 1, rows, ids);
    }
  }

  /** Decoding sessions are spread over the steps in flight: one step with all of them would leave the others empty. */
  #decodeShare(): number {
    const decoding = this.#sessions.size - this.#prefilling.length - this.#paused.length;
    return Math.min(Math.max(1, Math.ceil(decoding / this.#options.stageCount)), this.#options.maxRows - 1);
  }

  /** Room for one more token of a running stream, if need be at the cost of those that came after it. */
  #makeRoom(session: Session): boolean {
    while (!this.#kv.grow(session.id, session.sent + 1)) {
      const youngest = [...this.#sessions.values()]
        .filter((other) => other.id > session.id && !this.#paused.includes(other))
        .at(-1);
      // whose token is on its way pauses when it is here: an older one in its place would wait for it to end
      if (!youngest || youngest.isAwaiting) return false;
      this.#pause(youngest);
    }
    return true;
  }

  #pause(session: Session): void {
    this.#leaveQueues(session);
    this.#kv.forget(session.id);
    session.sent = 0;
    session.settled = 0;
    session.forgottenAt = this.#lastStep;
    this.#paused.push(session);
  }

  /** Paused sessions go on in the order in which they came, before anybody new is admitted. */
  #resume(): void {
    this.#paused.sort((a, b) => a.id - b.id);
    for (let session = this.#paused[0]; session; session = this.#paused[0]) {
      if (!this.#kv.grow(session.id, session.tokens.length + 1)) return;
      this.#paused.shift();
      this.#prefilling.push(session);
    }
  }

  #admit(): void {
    let continued = 0;
    while (this.#paused.length === 0 && this.#sessions.size < this.#options.maxSessions) {
      const [request] = this.#waiting;
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
      const session: Session = {
        id,
        request,
        tokens,
        sent,
        settled: sent,
        forgottenAt: 0,
        isAwaiting: false,
        guesses: new Guesses(),
        cuts: 0,
      };
      this.#sessions.set(id, session);
      this.#prefilling.push(session);
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
    const session = this.#prefilling.find(({ request }) => !request.isBackground) ?? this.#prefilling[0];
    if (!session) return;
    remove(this.#prefilling, (other) => other === session);
    const { sent, tokens } = session;
    const isAlone = this.#sessions.size === this.#prefilling.length + this.#paused.length + 1;
    this.#addRow(session, chunkTokens(this.#options, sent, tokens.length - sent, isAlone), rows, ids);
    if (!session.isAwaiting) this.#prefilling.push(session);
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
    this.#leaveQueues(session);
    // stages may hold more or less of what was guessed: here they come to hold the same again
    if (session.guesses.ids.length > 0) this.#cutBack(session);
    const { sent } = session;
    this.#kv.end(id, isSound ? tokens.slice(0, settled) : undefined, sent);
  }

  #leaveQueues(session: Session): void {
    for (const queue of [this.#prefilling, this.#decodable, this.#paused]) {
      remove(queue, (other) => other === session);
    }
  }
}

function remove<T>(list: T[], matches: (item: T) => boolean): void {
  const place = list.findIndex(matches);
  if (place >= 0) list.splice(place, 1);
}
