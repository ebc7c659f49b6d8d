// The heart of a draft on a node of its own: hears texts, guesses behind each of them as far as it may, one token at a time,
// and says each guess at once. It knows no sockets, and nothing of stages.
import { MAX_DRAFT_IDS, MAX_DRAFT_WORDS } from '../../../protocol/limits.ts';
import type { DraftWord, TextWord } from './draft-words.ts';
import type { GuessContext, GuessSource } from './source.ts';

/** Guesses after which it tidies up in any case: what a guess leaves behind is freed by nothing else. */
const MAX_UNSETTLED = 3;

export interface DraftLoopParts {
  /** what guesses; never says `coming` */
  source: GuessSource;
  say(word: DraftWord): void;
  /** frees what guesses left behind, and lets other tasks have a turn */
  settle(): Promise<void>;
  /** the first stage is out of order: it is to be closed */
  refuse(reason: string): void;
  /** a guess begins, which may keep this process busy, and ends */
  guessBegins(tokens: number): Promise<void> | void;
  guessEnds(ms: number, guesses: number): void;
}

/** A session's text. */
interface Text {
  context: GuessContext & { tokens: number[]; guessed: number[] };
  promptTokens: number;
  turn: number;
  until: number;
  isOver: boolean;
}

export class DraftLoop {
  readonly #parts: DraftLoopParts;
  /** the one that was guessed for longest ago first */
  readonly #texts = new Map<number, Text>();
  #heard: DraftWord[] = [];
  #isStopped = false;
  #ended: Promise<void> = Promise.resolve();
  #wake: (() => void) | undefined;

  constructor(parts: DraftLoopParts) {
    this.#parts = parts;
  }

  /** @returns what is wrong: the first stage is out of order; undefined for nothing */
  receive(word: DraftWord): string | undefined {
    if (word.say === 'guess') return 'it guesses, which is for the draft to do';
    if (this.#heard.length >= MAX_DRAFT_WORDS) return 'it says more than a draft can be told';
    this.#heard.push(word);
    this.#wake?.();
    return undefined;
  }

  /** Runs until it is stopped. Rejects where the engine cannot go on. */
  run(): Promise<void> {
    this.#ended = this.#turns();
    return this.#ended;
  }

  /** Guesses no more. @returns when the guess under way has ended; never rejects */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake?.();
    await this.#ended.catch(() => undefined);
  }

  async #turns(): Promise<void> {
    let unsettled = 0;
    while (!this.#isStopped) {
      for (const word of this.#heard.splice(0)) this.#hear(word);
      const [session, text] = this.#next() ?? [];
      if (session !== undefined && text) {
        await this.#guess(session, text);
        unsettled += 1;
      }
      if (text ? unsettled >= MAX_UNSETTLED : unsettled > 0) {
        await this.#parts.settle();
        unsettled = 0;
      } else if (!text) await this.#sleep();
    }
  }

  /** Until something is heard. */
  #sleep(): Promise<void> {
    if (this.#heard.length > 0 || this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #next(): [number, Text] | undefined {
    for (const [session, text] of this.#texts) {
      const { tokens, guessed } = text.context;
      if (!text.isOver && tokens.length + guessed.length < text.until) return [session, text];
    }
    return undefined;
  }

  #hear(word: DraftWord): void {
    if (word.say === 'forget') {
      this.#texts.delete(word.session);
      this.#parts.source.forget(word.session);
      return;
    }
    const wrong = word.say === 'text' ? this.#learn(word) : undefined;
    if (wrong === undefined) return;
    this.#texts.delete(word.session);
    this.#parts.refuse(wrong);
  }

  /** @returns what is wrong with it; undefined for nothing */
  #learn(word: TextWord): string | undefined {
    const { session, turn, at, ids, drawn, until, open } = word;
    const text = this.#texts.get(session) ?? (open && opened(session, open));
    if (!text) return 'it tells of a session that it has not opened';
    this.#texts.set(session, text);
    const { tokens, guessed, request } = text.context;
    if (turn > text.turn) {
      if (at < tokens.length) return 'it takes back what was drawn';
      guessed.length = Math.min(guessed.length, at - tokens.length);
      text.turn = turn;
    }
    if (ids.length > 0 && at !== tokens.length + guessed.length) return 'it leaves out a part of a text';
    for (const id of ids) guessed.push(id);
    tokens.push(...guessed.splice(0, Math.min(MAX_DRAFT_IDS, drawn - tokens.length)));
    text.until = until;
    if (until === 0 || request.promptIds.length > 0) return undefined;
    if (tokens.length < text.promptTokens) return 'its text is shorter than its prompt';
    request.promptIds = tokens.slice(0, text.promptTokens);
    return undefined;
  }

  async #guess(session: number, text: Text): Promise<void> {
    const { context, turn } = text;
    const { tokens, guessed } = context;
    const at = tokens.length + guessed.length;
    const begin = performance.now();
    await this.#parts.guessBegins(1);
    const ids = await this.#parts.source.guess(context, 1);
    this.#parts.guessEnds(performance.now() - begin, Array.isArray(ids) ? ids.length : 0);
    // the others come before it is its turn again
    this.#texts.delete(session);
    this.#texts.set(session, text);
    if (typeof ids === 'string') return;
    if (ids.length === 0) text.isOver = true;
    guessed.push(...ids);
    this.#parts.say({ say: 'guess', session, turn, at, ids: [...ids] });
  }
}

function opened(session: number, { promptTokens, sampling }: NonNullable<TextWord['open']>): Text {
  const request = { requestId: `session ${session}`, promptIds: [], maxTokens: 1, stopIds: [], sampling };
  const context = { session, request, tokens: [], guessed: [] };
  return { context, promptTokens, turn: 0, until: 0, isOver: false };
}
