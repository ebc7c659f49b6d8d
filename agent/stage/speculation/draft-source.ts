// Guesses by a small model of the same vocabulary. It draws with the request's own random numbers, so that where its
// distribution is like the large model's, its draws are, too. Its KV follows the text; it must not know steps or hops.
import { setImmediate } from 'node:timers/promises';
import type { Sampling } from '../../../protocol/generate.ts';
import type { Engine, EnginePlace } from '../../engine/engine.ts';
import { sample } from '../../engine/sampler.ts';
import type { SessionOp } from '../../engine/step.ts';
import type { GuessContext, GuessSource } from './source.ts';

/** Tokens of a text that it reads in one turn: no real row waits for longer than that takes a small model. */
const CHUNK_TOKENS = 64;

interface Text {
  /** the tokens in the draft's KV */
  fed: number[];
  /** how many of them were drawn, and stay */
  sure: number;
  /** it could not be computed: nothing more is guessed of it */
  isFailed: boolean;
}

export class DraftSource implements GuessSource {
  readonly name = 'draft';
  readonly isFree = false;
  readonly #engine: Engine;
  readonly #settle: () => Promise<void>;
  readonly #texts = new Map<number, Text>();

  /** @param engine a whole model @param settle frees what a draw left behind */
  constructor(engine: Engine, settle: () => Promise<void>) {
    this.#engine = engine;
    this.#settle = settle;
  }

  get weightBytes(): number {
    return this.#engine.weightBytes;
  }

  get kvBytes(): number {
    return this.#engine.kvBytes;
  }

  /** Takes other limits; all texts are forgotten before. */
  async limit(limits: Omit<EnginePlace, 'range'>): Promise<void> {
    await this.#engine.move({ range: this.#engine.range, ...limits });
  }

  async guess(
    context: GuessContext,
    count: number,
    isEnough: () => boolean = () => false,
  ): Promise<readonly number[] | 'working'> {
    const text = this.#textOf(context);
    const { tokens, guessed, request } = context;
    const end = tokens.length + guessed.length;
    this.#goBack(context, text, end);
    const guesses: number[] = [];
    while (guesses.length < count && !text.isFailed) {
      const known = (at: number) =>
        at < tokens.length ? tokens[at] : at < end ? guessed[at - tokens.length] : guesses[at - end];
      const from = text.fed.length;
      const wanted = end + guesses.length - from;
      const ids = Array.from({ length: Math.min(wanted, CHUNK_TOKENS) }, (_, i) => known(from + i) as number);
      const isLast = ids.length === wanted;
      const guess = await this.#feed(
        context.session,
        text,
        ids,
        isLast && request.sampling,
        end + guesses.length - request.promptIds.length,
      );
      if (!isLast && !text.isFailed) return 'working';
      if (guess !== undefined) guesses.push(guess);
      // what arrived meanwhile is read in a turn of the event loop
      if (guesses.length < count) await setImmediate();
      if (isEnough()) break;
    }
    return guesses;
  }

  forget(session: number): void {
    if (this.#texts.delete(session)) this.#engine.apply([{ op: 'drop', session }]);
  }

  /** The first products of a process are slow: they are done while nobody waits. */
  async warmUp(): Promise<void> {
    const session = 0;
    const tokens = new Array<number>(CHUNK_TOKENS + 2).fill(0);
    const sampling = { temperature: 0, topP: 1, seed: 0 };
    const request = { requestId: 'warm-up', promptIds: [0], maxTokens: 1, stopIds: [], sampling };
    const context = { session, request, tokens, guessed: [] };
    while ((await this.guess(context, 2)) === 'working') await this.#settle();
    this.forget(session);
    await this.#settle();
  }

  /** Forgets everything. */
  clear(): void {
    for (const session of [...this.#texts.keys()]) this.forget(session);
  }

  #textOf({ session, request }: GuessContext): Text {
    const known = this.#texts.get(session);
    if (known) return known;
    const { requestId, maxTokens } = request;
    const sampling = { temperature: 0, topP: 1, seed: 0 };
    const open: SessionOp = { op: 'open', session, requestId, sampling, maxTokens, stopIds: [] };
    const text: Text = { fed: [], sure: 0, isFailed: this.#engine.apply([open]).length > 0 };
    this.#texts.set(session, text);
    return text;
  }

  /** Gives up what it had read of guesses that were wrong; the last token is always read again, to guess from it. */
  #goBack({ session, tokens, guessed }: GuessContext, text: Text, end: number): void {
    let common = text.sure;
    const isSame = (at: number) =>
      text.fed[at] === (at < tokens.length ? tokens[at] : guessed[at - tokens.length]);
    while (common < Math.min(text.fed.length, end - 1) && isSame(common)) common += 1;
    text.sure = Math.min(common, tokens.length - 1);
    if (common === text.fed.length || text.isFailed) return;
    text.fed.length = common;
    text.isFailed = this.#engine.apply([{ op: 'trim', session, length: common }]).length > 0;
  }

  /** Reads tokens. @param sampling where a token is to be drawn after them @param index its place in the answer */
  async #feed(
    session: number,
    text: Text,
    ids: readonly number[],
    sampling: Sampling | false,
    index: number,
  ): Promise<number | undefined> {
    const rows = [{ session, position: text.fed.length, count: ids.length, sample: sampling !== false }];
    const { hidden, faults } = await this.#engine.run(rows, ids);
    text.isFailed = faults.length > 0;
    if (text.isFailed) return undefined;
    text.fed.push(...ids);
    const logits = this.#engine.logits(rows, hidden);
    if (!sampling || !logits) return undefined;
    const { temperature, topP, seed, topK, minP } = sampling;
    const own: Sampling = {
      temperature,
      topP,
      seed,
      ...(topK !== undefined && { topK }),
      ...(minP !== undefined && { minP }),
    };
    // whatever a draft stumbles over costs its guesses, never the stage
    const [drawn] = await sample(logits, [{ sampling: own, index }], this.#settle).catch(() => []);
    text.isFailed = drawn === undefined;
    return drawn?.token;
  }
}
