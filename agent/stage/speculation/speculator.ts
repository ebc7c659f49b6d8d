// Guesses for the streams of one head stage: asks for each stream the source that has been right most often, stops where
// guessing does not pay, and counts. It sends nothing: which guesses become rows, the scheduler decides.
import type { GuessSourceName, GuessStats, GuessTotal } from '../../../protocol/speculation.ts';
import type { GuessWish } from '../guess-wish.ts';
import type { Judged } from '../scheduler.ts';
import { Gate, type Unguessed } from './gate.ts';
import type { GuessContext, GuessSource } from './source.ts';
import type { StepCosts } from './step-costs.ts';
import { Yields } from './yields.ts';

/** Now and then a source is asked before the best one, where only that tells what it would be worth. */
const OTHER_EVERY = 24;
/** What the newest guess counts for in the time that guesses take. */
const NEWEST_SHARE = 1 / 8;

interface Stream {
  requestId: string;
  gate: Gate;
  yields: Yields;
  /** the sources of the guesses that are on their way, in order */
  onTheirWay: GuessSourceName[];
  sent: number;
  kept: number;
  /** guesses since the last wrong one */
  rightInRow: number;
  source: GuessSourceName | null;
  /** what a source that was not asked would have said, for the place `at` behind the token `before` */
  unasked: { source: GuessSourceName; at: number; before: number | undefined; token: number } | undefined;
}

/** Guesses for a session, and how many tokens and guesses it had when they were made. */
export interface Guessed {
  session: number;
  begin: number;
  /** of the wish for which they were made */
  cuts: number;
  ids: readonly number[];
  source: GuessSourceName;
}

export class Speculator {
  readonly #sources: readonly GuessSource[];
  readonly #costs: StepCosts;
  readonly #stageCount: number;
  readonly #vocabSize: number;
  readonly #streams = new Map<number, Stream>();
  readonly #unguessed: Unguessed = { known: undefined };
  readonly #totals = new Map<GuessSourceName, Omit<GuessTotal, 'source'>>();
  /** what a guess of each source took lately */
  readonly #guessMs = new Map<GuessSourceName, number>();
  readonly #nowMs: () => number;
  #asked = 0;

  /** @param sources at least one @param nowMs a clock */
  constructor(
    sources: readonly GuessSource[],
    costs: StepCosts,
    { stageCount, vocabSize }: { stageCount: number; vocabSize: number },
    nowMs: () => number,
  ) {
    this.#nowMs = nowMs;
    this.#sources = sources;
    this.#costs = costs;
    this.#stageCount = stageCount;
    this.#vocabSize = vocabSize;
    for (const { name } of sources) this.#totals.set(name, { sent: 0, kept: 0, judged: 0 });
  }

  /**
   * Guesses what a session's wish is for.
   * @param isEnough whether something else is to be done: guessing ends with what there is
   * @returns `working` where a source needs another turn; undefined where nothing should be guessed
   */
  async guess(wish: GuessWish, isEnough: () => boolean): Promise<Guessed | 'working' | undefined> {
    const { session, request, tokens, guessed, cuts } = wish;
    const stream = this.#streamOf(wish);
    if (!stream.gate.isOpen) return undefined;
    const context = { session, request, tokens, guessed };
    const begin = tokens.length + guessed.length;
    const ranked = this.#order(stream);
    await this.#tryUnasked(stream, ranked, context);
    let isWorking = false;
    for (const source of ranked) {
      const yieldShare = stream.yields.of(source.name);
      const guessMs = this.#guessMs.get(source.name) ?? 0;
      const rows = this.#costs.rows({ yieldShare, stageCount: this.#stageCount, guessMs });
      const fromMs = this.#nowMs();
      // a stream has to earn long steps
      const count = Math.min(wish.most, rows, 1 + stream.rightInRow);
      const ids = await source.guess(context, count, isEnough);
      // better ones are on their way, and nothing real waits for them
      if (ids === 'coming') return undefined;
      if (ids.length > 0 && ids !== 'working') this.#took(source.name, (this.#nowMs() - fromMs) / ids.length);
      if (ids === 'working') {
        isWorking = true;
        continue;
      }
      // behind the end of an answer there is nothing to guess; what is no token of the model is none of its guesses
      const end = ids.findIndex((id) => request.stopIds.includes(id) || id >= this.#vocabSize);
      const some = end < 0 ? ids : ids.slice(0, end);
      if (some.length > 0) return { session, begin, cuts, ids: some, source: source.name };
    }
    return isWorking ? 'working' : undefined;
  }

  /** Looks whether the free source that is not the best was right, and asks it for the next place. */
  async #tryUnasked(stream: Stream, ranked: readonly GuessSource[], context: GuessContext): Promise<void> {
    const { tokens, guessed } = context;
    const last = stream.unasked;
    if (last && last.at >= tokens.length) return;
    if (last && tokens[last.at - 1] === last.before)
      stream.yields.note(last.source, tokens[last.at] === last.token);
    stream.unasked = undefined;
    const source = ranked.slice(1).find(({ isFree }) => isFree);
    const ids = await source?.guess(context, 1);
    const token = Array.isArray(ids) ? ids[0] : undefined;
    if (!source || token === undefined) return;
    const before = guessed.at(-1) ?? tokens.at(-1);
    stream.unasked = { source: source.name, at: tokens.length + guessed.length, before, token };
  }

  /** So many of these guesses are on their way. */
  sent({ session, source }: Guessed, count: number): void {
    const stream = this.#streams.get(session);
    if (!stream) return;
    for (let i = 0; i < count; i++) stream.onTheirWay.push(source);
  }

  /** A step came back. @param streams that run */
  judged(all: readonly Judged[], streams: number): void {
    const nowMs = this.#nowMs();
    for (const { session, verdict, isOver } of all) {
      const stream = this.#streams.get(session);
      if (!stream) continue;
      if (verdict !== 'none') this.#count(stream, verdict === 'right');
      stream.gate.token(verdict, streams, nowMs);
      if (isOver) this.forget(session);
    }
  }

  /** There is a source that was not there before: what did not pay without it is tried again. */
  tryAgain(): void {
    this.#unguessed.shut = undefined;
    for (const stream of this.#streams.values()) stream.gate = new Gate(this.#unguessed);
  }

  /** Forgets a session. */
  forget(session: number): void {
    for (const source of this.#sources) source.forget(session);
    this.#streams.delete(session);
  }

  /** Forgets those that do not run any more. */
  sweep(isRunning: (session: number) => boolean): void {
    for (const session of [...this.#streams.keys()]) if (!isRunning(session)) this.forget(session);
  }

  get stats(): GuessStats {
    return {
      totals: [...this.#totals].map(([source, total]) => ({ source, ...total })),
      requests: [...this.#streams.values()].map(({ requestId, sent, kept, source, gate }) => {
        return { requestId, sent, kept, source, gain: gate.isOpen ? gate.gain : null };
      }),
      draftGuessMs: this.#guessMs.get('draft') || null,
    };
  }

  #took(source: GuessSourceName, ms: number): void {
    const before = this.#guessMs.get(source) ?? ms;
    this.#guessMs.set(source, before + (ms - before) * NEWEST_SHARE);
  }

  #count(stream: Stream, isRight: boolean): void {
    const [source] = stream.onTheirWay;
    if (source === undefined) return;
    stream.yields.note(source, isRight);
    stream.rightInRow = isRight ? stream.rightInRow + 1 : 0;
    const total = this.#totals.get(source) as Omit<GuessTotal, 'source'>;
    total.judged += 1;
    // of a wrong one all that were sent behind it are lost with it
    const sent = isRight ? 1 : stream.onTheirWay.length;
    stream.onTheirWay = stream.onTheirWay.slice(sent);
    stream.source = source;
    stream.sent += sent;
    total.sent += sent;
    if (!isRight) return;
    stream.kept += 1;
    total.kept += 1;
  }

  /** The best one first; now and then the others before it, if they are not looked at anyway. */
  #order({ yields }: Stream): readonly GuessSource[] {
    const ranked = yields.ranked(this.#sources);
    this.#asked += 1;
    const isOthersTurn = this.#asked % OTHER_EVERY === 0 && ranked.slice(1).some(({ isFree }) => !isFree);
    return isOthersTurn ? ranked.reverse() : ranked;
  }

  #streamOf({ session, request }: GuessWish): Stream {
    const known = this.#streams.get(session);
    if (known) return known;
    const stream: Stream = {
      requestId: request.requestId,
      gate: new Gate(this.#unguessed),
      yields: new Yields(),
      onTheirWay: [],
      sent: 0,
      kept: 0,
      rightInRow: 0,
      source: null,
      unasked: undefined,
    };
    this.#streams.set(session, stream);
    return stream;
  }
}
