// Guesses of a draft on another node. The draft guesses on by itself, so that most of what is asked for is here already; while
// something better is on its way, whoever asks is told so and woken, and where that takes too long, others guess. It never
// waits, and knows no sockets: what it says goes to the function that it is given, what it hears is handed in.
import type { GenerateRequest } from '../../../protocol/generate.ts';
import { MAX_DRAFT_IDS } from '../../../protocol/limits.ts';
import type { DraftSampling, DraftWord } from './draft-words.ts';
import type { GuessContext, GuessSource } from './source.ts';

/** How far behind the newest guess that was taken the draft may go on by itself: as many as one step can hold. */
const AHEAD = 8;
/** It is told to go on when no more than this is left of that. */
const LEFT = AHEAD / 2;
/** Others guess when an answer takes this many times as long as answers do, within these bounds. */
const PATIENCE_TIMES = 4;
const MIN_PATIENCE_MS = 20;
const MAX_PATIENCE_MS = 250;
/** What the newest answer counts for. */
const NEWEST_SHARE = 1 / 8;

interface Text {
  /** as the draft knows it: what it was told, and behind that its own guesses */
  chain: number[];
  /** of these, what was compared with drawn tokens: they stay */
  sure: number;
  /** up to where it may guess */
  until: number;
  turn: number;
  /** it was told a text and has not answered yet: nothing else is told before, so that no more than one waits there */
  isAsked: boolean;
  /** since when guesses of it are missed */
  missedMs: number | undefined;
  /** it has no idea of this text, and will have none */
  isOver: boolean;
}

export interface RemoteDraftParts {
  /** milliseconds on a clock that never jumps */
  nowMs(): number;
  /** runs a task in so many milliseconds */
  later(ms: number, task: () => void): void;
}

export class RemoteDraft implements GuessSource {
  readonly name = 'draft';
  readonly isFree = false;
  readonly #parts: RemoteDraftParts;
  readonly #texts = new Map<number, Text>();
  #send: ((word: DraftWord) => void) | undefined;
  #onNews: (isNew: boolean) => void = () => undefined;
  #usualMs = MIN_PATIENCE_MS;
  /** its last answer took too long, or still does: nobody waits for it until it has answered */
  #isLate = false;

  constructor(parts: RemoteDraftParts) {
    this.#parts = parts;
  }

  listen(news: (isNew: boolean) => void): void {
    this.#onNews = news;
  }

  /** There is a draft, which knows nothing yet. @param send what it is told; in order */
  attach(send: (word: DraftWord) => void): void {
    this.#begin(send);
  }

  /** There is none any more. */
  detach(): void {
    this.#begin(undefined);
  }

  #begin(send: ((word: DraftWord) => void) | undefined): void {
    this.#send = send;
    this.#texts.clear();
    this.#isLate = false;
    this.#onNews(send !== undefined);
  }

  async guess(context: GuessContext, count: number): Promise<readonly number[] | 'coming'> {
    if (!this.#send) return [];
    const { session, request, tokens, guessed } = context;
    const text = this.#texts.get(session) ?? this.#open(session);
    if (text.isOver) return [];
    const end = tokens.length + guessed.length;
    const common = commonLength(text, context);
    text.sure = Math.min(common, tokens.length);
    // behind the last token of an answer there is nothing to guess
    const until = Math.min(end + AHEAD, request.promptIds.length + request.maxTokens);
    if (common < end) {
      if (!text.isAsked) this.#tell(text, context, common, until);
      return this.#missing(text);
    }
    const ids = text.chain.slice(end, end + count);
    if (!text.isAsked && text.until < until && text.until - end - ids.length <= LEFT)
      this.#goOn(text, context, until);
    if (ids.length === 0) return this.#missing(text);
    text.missedMs = undefined;
    return ids;
  }

  forget(session: number): void {
    if (this.#texts.delete(session)) this.#send?.({ say: 'forget', session });
  }

  /** What the draft said. @returns what is wrong with it; undefined for nothing */
  receive(word: DraftWord): string | undefined {
    if (word.say !== 'guess') return 'it says what only the first stage says';
    const text = this.#texts.get(word.session);
    // of a text that is over, or was another one when it guessed
    if (!text || text.turn !== word.turn) return undefined;
    if (word.at !== text.chain.length || word.at + word.ids.length > text.until)
      return `it guesses for place ${word.at}, which it was not asked for`;
    this.#answered(text);
    text.isAsked = false;
    if (word.ids.length === 0) text.isOver = true;
    for (const id of word.ids) text.chain.push(id);
    this.#onNews(false);
    return undefined;
  }

  #open(session: number): Text {
    const text = {
      ...{ chain: [], sure: 0, until: 0, turn: 0 },
      ...{ isAsked: false, missedMs: undefined, isOver: false },
    };
    this.#texts.set(session, text);
    return text;
  }

  /** Tells it the text from where it differs on. */
  #tell(text: Text, context: GuessContext, common: number, until: number): void {
    const { session, request, tokens, guessed } = context;
    const rest = [...tokens.slice(common), ...guessed.slice(Math.max(0, common - tokens.length))];
    const isFirst = text.turn === 0;
    text.turn += 1;
    text.chain.length = common;
    for (const id of rest) text.chain.push(id);
    text.until = until;
    text.isAsked = true;
    const { turn } = text;
    for (let done = 0; done < rest.length; done += MAX_DRAFT_IDS) {
      const ids = rest.slice(done, done + MAX_DRAFT_IDS);
      const isLast = done + ids.length === rest.length;
      this.#send?.({
        ...{ say: 'text', session, turn, at: common + done, ids, drawn: tokens.length },
        // nothing is guessed behind half of a text
        until: isLast ? until : 0,
        ...(isFirst && done === 0 && { open: openOf(request) }),
      });
    }
  }

  /** The same text: it may guess further, and learns how much of it was drawn. */
  #goOn(text: Text, { session, tokens }: GuessContext, until: number): void {
    text.until = until;
    const { turn, chain } = text;
    const drawn = Math.min(tokens.length, chain.length);
    this.#send?.({ say: 'text', session, turn, at: chain.length, ids: [], drawn, until });
  }

  /** Nothing is here: whether it is worth waiting for. */
  #missing(text: Text): 'coming' | readonly number[] {
    const now = this.#parts.nowMs();
    const patienceMs = Math.min(MAX_PATIENCE_MS, Math.max(MIN_PATIENCE_MS, PATIENCE_TIMES * this.#usualMs));
    if (text.missedMs === undefined) {
      text.missedMs = now;
      // whoever was told to wait is to ask again
      if (!this.#isLate) this.#parts.later(patienceMs, () => this.#onNews(false));
    }
    if (now - text.missedMs >= patienceMs) this.#isLate = true;
    return this.#isLate ? [] : 'coming';
  }

  #answered(text: Text): void {
    const { missedMs } = text;
    this.#isLate = false;
    text.missedMs = undefined;
    if (missedMs === undefined) return;
    // a long text takes long to read, and says nothing of later answers
    const tookMs = Math.min(this.#parts.nowMs() - missedMs, MAX_PATIENCE_MS / PATIENCE_TIMES);
    this.#usualMs += (tookMs - this.#usualMs) * NEWEST_SHARE;
  }
}

/** How far the draft's text is the one that there is. */
function commonLength({ chain, sure }: Text, { tokens, guessed }: GuessContext): number {
  const most = Math.min(chain.length, tokens.length + guessed.length);
  let at = Math.min(sure, most);
  while (at < most && chain[at] === (at < tokens.length ? tokens[at] : guessed[at - tokens.length])) at += 1;
  return at;
}

function openOf({ promptIds, sampling }: GenerateRequest): { promptTokens: number; sampling: DraftSampling } {
  const { temperature, topP, seed, topK, minP } = sampling;
  const filters = { ...(topK !== undefined && { topK }), ...(minP !== undefined && { minP }) };
  return { promptTokens: promptIds.length, sampling: { temperature, topP, seed, ...filters } };
}
