// The answers that the last stage draws: what each request does to its logits, its grammar, and how far it is. A guess is
// judged here: it counts if it is the token that was drawn before it. It knows no layers and no KV.
import { asEspalierError } from '../../protocol/errors.ts';
import type { Tensor } from './mlx.ts';
import { type Draw, type Drawn, sample } from './sampler.ts';
import { LogitAdjuster } from './sampling/adjuster.ts';
import { type GrammarGuide, GrammarGuides } from './sampling/grammar-guide.ts';
import type { Fault, OpenOp } from './sessions.ts';
import type { Row } from './step.ts';

/** What the last stage says of a sampled row. */
export interface Sampled {
  session: number;
  requestId: string;
  index: number;
  token: number;
  finish: 'stop' | 'length' | null;
  /** where the request asked for log probabilities */
  logprobs?: Drawn['logprobs'];
  /** with the first token that is drawn here: tokens whose KV was there already */
  cachedTokens?: number;
}

/** What the last stage remembers of a request. */
interface Answer {
  open: OpenOp;
  generated: number;
  /** what the request does to its logits, if anything */
  adjuster: LogitAdjuster | undefined;
  /** what holds it to its grammar, if it has one */
  guide: Promise<GrammarGuide> | undefined;
  /** the newest token, and its place among all of the session; undefined before the first, and after the last one */
  newest: { token: number; position: number } | undefined;
}

/** A row whose last token's logits are drawn from, and the place of that token in the step. */
export interface DrawnRow {
  row: Row;
  place: number;
}

export interface DrawOptions {
  /** [places, vocabulary] */
  logitsOf(places: readonly number[]): Tensor;
  isFaulty(session: number): boolean;
  /** @returns the fault where it is new */
  fail(session: number, why: string): Fault | undefined;
  notFinite(): string;
  settle(): Promise<void>;
}

/** What was drawn so far, also where an error ends it. */
export interface DrawnStep {
  sampled: Sampled[];
  faults: Fault[];
}

export class Answers {
  readonly #vocabSize: number;
  readonly #guides: GrammarGuides;
  /** by session */
  readonly #answers = new Map<number, Answer>();

  constructor(modelDir: string, vocabSize: number) {
    this.#vocabSize = vocabSize;
    this.#guides = new GrammarGuides(modelDir, vocabSize);
  }

  begin(open: OpenOp): void {
    const { generated } = open;
    const guide =
      open.grammar &&
      this.#guides.open(open.grammar, open.stopIds).then((begun) => {
        for (const id of generated?.ids ?? []) begun.note(id);
        return begun;
      });
    // whoever draws for it learns it as well
    guide?.catch(() => undefined);
    const adjuster = LogitAdjuster.of(open, this.#vocabSize);
    const answer = { open, generated: generated?.count ?? 0, adjuster, guide, newest: undefined };
    this.#answers.set(open.session, answer);
  }

  end(session: number): void {
    this.#answers.get(session)?.guide?.then(
      (guide) => guide[Symbol.dispose](),
      () => undefined,
    );
    this.#answers.delete(session);
  }

  endAll(): void {
    for (const session of [...this.#answers.keys()]) this.end(session);
  }

  /** A session that pauses before its first token computes its whole prompt: nothing of it was saved. */
  forgetCached(session: number): void {
    const answer = this.#answers.get(session);
    if (answer) answer.open = { ...answer.open, from: undefined };
  }

  /** Whether a guess is the token that was drawn for its place. */
  isRight({ session, position, guess }: Row): boolean {
    const newest = this.#answers.get(session)?.newest;
    return newest?.position === position && newest.token === guess;
  }

  /**
   * Draws the next token of each row whose session is sound; of several rows of one session one after the other, because
   * each draw may depend on the one before it. Rows whose guess was wrong are left out.
   */
  async draw(wanted: readonly DrawnRow[], step: DrawnStep, options: DrawOptions): Promise<void> {
    for (let left = wanted; left.length > 0; ) {
      const seen = new Set<number>();
      const later: DrawnRow[] = [];
      const now = left.filter((each) => {
        const isFirst = !seen.has(each.row.session);
        seen.add(each.row.session);
        if (!isFirst) later.push(each);
        return isFirst && (each.row.guess === undefined || this.isRight(each.row));
      });
      left = later;
      if (now.length > 0) await this.#drawAtOnce(now, step, options);
    }
  }

  /** @param rows at most one of each session */
  async #drawAtOnce(
    rows: readonly DrawnRow[],
    { sampled, faults }: DrawnStep,
    options: DrawOptions,
  ): Promise<void> {
    const logits = options.logitsOf(rows.map(({ place }) => place));
    const answers = rows.map(({ row }) => this.#answers.get(row.session));
    const draws = await Promise.all(answers.map((answer) => this.#drawOf(answer, faults, options)));
    const drawn = await sample(logits, draws, options.settle);
    for (const [i, { row }] of rows.entries()) {
      const answer = answers[i];
      const token = drawn[i];
      if (!answer || options.isFaulty(row.session)) continue;
      if (token) sampled.push(await this.#advance(answer, row, token));
      else faults.push(...toList(options.fail(row.session, options.notFinite())));
    }
  }

  /** A row without an answer is drawn like a greedy one, and the token is not used. */
  async #drawOf(answer: Answer | undefined, faults: Fault[], options: DrawOptions): Promise<Draw> {
    if (!answer) return { sampling: { temperature: 0, topP: 1, seed: 0 }, index: 0 };
    const { open, generated: index, adjuster, guide } = answer;
    const draw: Draw = { sampling: open.sampling, index, adjuster };
    if (!guide || options.isFaulty(open.session)) return draw;
    try {
      return { ...draw, allowed: await (await guide).allowed() };
    } catch (error) {
      const message = `the answer cannot be held to its format: ${asEspalierError(error).message}`;
      faults.push(...toList(options.fail(open.session, message)));
      return draw;
    }
  }

  async #advance(answer: Answer, { position, count }: Row, { token, logprobs }: Drawn): Promise<Sampled> {
    const { open, adjuster, guide } = answer;
    const { session, requestId, stopIds, maxTokens, from } = open;
    const index = answer.generated++;
    adjuster?.note(token);
    (await guide)?.note(token);
    const finish = stopIds.includes(token) ? 'stop' : answer.generated >= maxTokens ? 'length' : null;
    answer.newest = finish === null ? { token, position: position + count } : undefined;
    const sampled: Sampled = { session, requestId, index, token, finish };
    if (logprobs) sampled.logprobs = logprobs;
    if (index === (open.generated?.count ?? 0) && from) sampled.cachedTokens = from.length;
    return sampled;
  }
}

function toList<T>(item: T | undefined): T[] {
  return item === undefined ? [] : [item];
}
