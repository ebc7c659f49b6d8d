// One stage's engine: runs steps over its layers and keeps the sessions' KV. Math only: it knows no network, no clock
// and no other stage. Bad input is refused before MLX sees it, because MLX would not survive it, and costs only the
// sessions that it belongs to.
import { asEspalierError } from '../../protocol/errors.ts';
import { formatRange, type LayerRange } from '../../protocol/plan.ts';
import { ALL, mx, type Tensor } from './mlx.ts';
import { type Draw, type Drawn, sample } from './sampler.ts';
import { LogitAdjuster } from './sampling/adjuster.ts';
import { type GrammarGuide, GrammarGuides } from './sampling/grammar-guide.ts';
import { type Fault, type KvStore, type OpenOp, type SessionLimits, Sessions } from './sessions.ts';
import { type LayersOptions, StageLayers } from './stage-layers.ts';
import { LAYERWISE_FROM_TOKENS, type Row, type SessionOp, type StageModel, tokenCount } from './step.ts';

/** What an engine may be given anew. */
export interface EnginePlace extends SessionLimits {
  range: LayerRange;
}

export interface EngineOptions extends EnginePlace, LayersOptions {}

/** A step's hidden state, [tokens, hidden], and the sessions that were given up with it. */
export interface Ran {
  hidden: Tensor;
  faults: Fault[];
}

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
}

export class Engine {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly #options: EngineOptions;
  readonly #layers: StageLayers;
  readonly #sessions: Sessions;
  /** last stage only, by session */
  readonly #answers = new Map<number, Answer>();
  readonly #guides: GrammarGuides;
  #anticipated: { rows: readonly Row[]; prepared: unknown } | undefined;

  private constructor(layers: StageLayers, options: EngineOptions) {
    this.vocabSize = layers.config.vocab_size;
    this.hiddenSize = layers.config.hidden_size;
    this.#options = options;
    this.#guides = new GrammarGuides(options.modelDir, this.vocabSize);
    this.#layers = layers;
    // whatever layers this stage has now
    const kv: KvStore = {
      adopt: (session, source) => this.#model.adopt(session, source),
      trim: (session, length) => this.#model.trim(session, length),
      drop: (session) => this.#model.drop(session),
    };
    this.#sessions = new Sessions(options, kv, () => `layers ${formatRange(this.range)}`);
  }

  /**
   * Checks and loads a layer range of a model folder.
   * @throws EspalierError model_folder_missing, model_file_missing, model_file_damaged, model_mismatch, model_unsupported
   */
  static async load(options: EngineOptions): Promise<Engine> {
    const layers = await StageLayers.load(options.range, options);
    return new Engine(layers, options);
  }

  /**
   * Takes other limits and another layer range: frees the layers that it has no longer, and reads those that it has not.
   * Sessions stay where the range does, otherwise all of them are forgotten. No step may run meanwhile.
   * @returns how many layers were read
   * @throws EspalierError as `load`: the engine cannot be used any more
   */
  async move({ range, ...limits }: EnginePlace): Promise<number> {
    this.#sessions.limit(limits);
    if (range.start === this.range.start && range.end === this.range.end) return 0;
    this.forget();
    return this.#layers.move(range);
  }

  get #model(): StageModel {
    return this.#layers.model;
  }

  get weightBytes(): number {
    return this.#layers.weightBytes;
  }

  get range(): LayerRange {
    return this.#layers.range;
  }

  get layerCount(): number {
    return this.#model.layerCount;
  }

  get isFirst(): boolean {
    return this.range.start === 0;
  }

  get isLast(): boolean {
    return this.range.end === this.#layers.config.num_hidden_layers;
  }

  get kvBytes(): number {
    return this.#model.kvByteLength;
  }

  /** sessions with a request */
  get sessionCount(): number {
    return this.#sessions.running;
  }

  /** Forgets all sessions with their KV. */
  forget(): void {
    this.#sessions.clear();
    for (const session of [...this.#answers.keys()]) this.#endAnswer(session);
    this.#anticipated = undefined;
  }

  /**
   * Does what a step frame says about sessions, in order. What cannot be done costs that session alone: its rows are
   * not computed until it is dropped.
   * @returns the faults that are new with this, those of earlier stages (`fail`) among them
   */
  apply(ops: readonly SessionOp[]): Fault[] {
    return ops.flatMap((op) => {
      if (op.op === 'sync') {
        for (const session of [...this.#answers.keys()]) this.#endAnswer(session);
        return this.#sessions.sync(op.sessions);
      }
      const fault = this.#sessions.apply(op);
      if (op.op === 'trim') this.#forgetCached(op.session);
      else this.#endAnswer(op.session);
      if (this.isLast && op.op === 'open' && !fault) this.#beginAnswer(op);
      return fault ?? [];
    });
  }

  #beginAnswer(open: OpenOp): void {
    const { generated } = open;
    const guide =
      open.grammar &&
      this.#guides.open(open.grammar, open.stopIds).then((begun) => {
        for (const id of generated?.ids ?? []) begun.note(id);
        return begun;
      });
    // whoever draws for it learns it as well
    guide?.catch(() => undefined);
    const adjuster = LogitAdjuster.of(open, this.vocabSize);
    this.#answers.set(open.session, { open, generated: generated?.count ?? 0, adjuster, guide });
  }

  #endAnswer(session: number): void {
    this.#answers.get(session)?.guide?.then(
      (guide) => guide[Symbol.dispose](),
      () => undefined,
    );
    this.#answers.delete(session);
  }

  /**
   * Runs a step's rows through this stage's layers, after `apply` did the step's operations. Rows that cannot be
   * computed are left out: in the answer their tokens are zeros.
   * @param rows at least one
   * @param input token ids of all rows on the first stage, elsewhere the hidden state [tokens, hidden]
   * @returns the hidden state after this stage's layers, [tokens, hidden]. A short step's is evaluated when it is read,
   *   together with what comes after it, because every evaluation waits for MLX's own thread
   */
  async run(rows: readonly Row[], input: readonly number[] | Tensor): Promise<Ran> {
    const faults = this.#faultsBefore(rows, input);
    const sound = rows.filter((row) => !this.#sessions.isFaulty(row.session));
    try {
      if (sound.length === rows.length) return { hidden: await this.#compute(rows, input), faults };
      const places = this.#soundPlaces(rows);
      const part = Array.isArray(input)
        ? places.map((place) => input[place] as number)
        : mx.take(input as Tensor, mx.array(places, mx.int32), 0);
      const computed = sound.length > 0 ? await this.#compute(sound, part) : undefined;
      return { hidden: this.#spread(computed, places, tokenCount(rows)), faults };
    } catch (error) {
      faults.push(...this.#failAll(rows, error));
      return { hidden: this.#spread(undefined, [], tokenCount(rows)), faults };
    }
  }

  /**
   * Evaluates what `run` returned and looks whether it is finite, so that a damaged weight is found on the stage that
   * has it. The tokens of a row that is not are zeros afterwards.
   */
  check(rows: readonly Row[], hidden: Tensor): Ran {
    try {
      const sums = hidden.astype(mx.float32).sum(-1); // [tokens]: not finite where one value is not
      mx.eval(hidden, sums);
      const finite = (sums.tolist() as number[]).map(Number.isFinite);
      if (!finite.includes(false)) return { hidden, faults: [] };
      let begin = 0;
      const faults = rows.flatMap(({ session, count }) => {
        const isSound = !finite.slice(begin, begin + count).includes(false);
        begin += count;
        return isSound ? [] : (this.#sessions.fail(session, 'engine_failed', this.#notFinite()) ?? []);
      });
      const places = this.#soundPlaces(rows);
      const part = places.length > 0 ? mx.take(hidden, mx.array(places, mx.int32), 0) : undefined;
      return { hidden: this.#spread(part, places, finite.length), faults };
    } catch (error) {
      return {
        hidden: this.#spread(undefined, [], tokenCount(rows)),
        faults: this.#failAll(rows, error),
      };
    }
  }

  async #compute(rows: readonly Row[], input: readonly number[] | Tensor): Promise<Tensor> {
    const tokens = tokenCount(rows);
    let hidden = Array.isArray(input) ? this.#model.embed(mx.array(input, mx.int32)) : (input as Tensor);
    const prepared = this.#prepared(rows);
    const layerwise = tokens >= LAYERWISE_FROM_TOKENS;
    for (let layer = 0; layer < this.#model.layerCount; layer++) {
      hidden = this.#model.layer(layer, hidden, prepared);
      if (layerwise) {
        mx.eval(hidden, this.#model.written(layer, rows));
        await this.#options.settle();
      }
    }
    // nobody reads what the last stage has of rows that do not sample, but their KV must be written now
    if (this.isLast && !rows.some((row) => row.sample)) mx.eval(hidden);
    for (const row of rows) this.#sessions.grow(row);
    return hidden;
  }

  /** The places of the sound sessions' tokens among those of all rows. */
  #soundPlaces(rows: readonly Row[]): number[] {
    let begin = 0;
    return rows.flatMap(({ session, count }) => {
      const places = Array.from({ length: count }, (_, i) => begin + i);
      begin += count;
      return this.#sessions.isFaulty(session) ? [] : places;
    });
  }

  /** @param part [places, hidden] @returns [tokens, hidden] with the rows of `part` at `places` and zeros elsewhere */
  #spread(part: Tensor | undefined, places: readonly number[], tokens: number): Tensor {
    const zeros = mx.zeros([1, this.hiddenSize], part?.dtype ?? mx.float32);
    const rows = new Array<number>(tokens).fill(places.length);
    for (const [row, place] of places.entries()) rows[place] = row;
    return mx.take(part ? mx.concatenate([part, zeros], 0) : zeros, mx.array(rows, mx.int32), 0);
  }

  /**
   * Prepares a step that will probably come, while this stage has nothing else to do: after a decode step, the same
   * rows one token on. A guess that turns out wrong costs nothing but itself.
   */
  anticipate(rows: readonly Row[]): void {
    this.#anticipated = { rows, prepared: this.#model.prepare(rows) };
  }

  #prepared(rows: readonly Row[]): unknown {
    const guess = this.#anticipated;
    this.#anticipated = undefined;
    const fits =
      guess?.rows.length === rows.length &&
      rows.every((row, i) => {
        const other = guess.rows[i];
        return other?.session === row.session && other.position === row.position && other.count === row.count;
      });
    return fits ? guess.prepared : this.#model.prepare(rows);
  }

  /** The logits of the last token of each sampling row, [sampling rows, vocabulary]; undefined when there is none. */
  logits(rows: readonly Row[], hidden: Tensor): Tensor | undefined {
    const places: number[] = [];
    let end = 0;
    for (const row of rows) {
      end += row.count;
      if (row.sample) places.push(end - 1);
    }
    if (places.length === 0) return undefined;
    const all = places.length === end;
    const [first] = places;
    const one = places.length === 1 ? mx.Slice(first, (first as number) + 1) : mx.array(places, mx.int32);
    return this.#model.head(all ? hidden : hidden.index(one, ALL));
  }

  /** Last stage: draws the next token of each sampling row whose session is sound. */
  async sample(rows: readonly Row[], hidden: Tensor): Promise<{ sampled: Sampled[]; faults: Fault[] }> {
    const wanted = rows.filter((row) => row.sample);
    const faults: Fault[] = [];
    const sampled: Sampled[] = [];
    try {
      const logits = this.logits(rows, hidden);
      if (!logits) return { sampled, faults };
      const answers = wanted.map((row) => this.#answers.get(row.session));
      const draws = await Promise.all(answers.map((answer) => this.#drawOf(answer, faults)));
      const drawn = await sample(logits, draws, this.#options.settle);
      for (const [i, { session }] of wanted.entries()) {
        const answer = answers[i];
        const token = drawn[i];
        if (!answer || this.#sessions.isFaulty(session)) continue;
        if (token) sampled.push(await this.#advance(answer, token));
        else faults.push(...toList(this.#sessions.fail(session, 'engine_failed', this.#notFinite())));
      }
      return { sampled, faults };
    } catch (error) {
      return { sampled, faults: [...faults, ...this.#failAll(wanted, error)] };
    }
  }

  /** A session that pauses before its first token computes its whole prompt: nothing of it was saved. */
  #forgetCached(session: number): void {
    const answer = this.#answers.get(session);
    if (answer) answer.open = { ...answer.open, from: undefined };
  }

  /** A row without an answer is drawn like a greedy one, and the token is not used. */
  async #drawOf(answer: Answer | undefined, faults: Fault[]): Promise<Draw> {
    if (!answer) return { sampling: { temperature: 0, topP: 1, seed: 0 }, index: 0 };
    const { open, generated: index, adjuster, guide } = answer;
    const draw: Draw = { sampling: open.sampling, index, adjuster };
    if (!guide || this.#sessions.isFaulty(open.session)) return draw;
    try {
      return { ...draw, allowed: await (await guide).allowed() };
    } catch (error) {
      const message = `the answer cannot be held to its format: ${asEspalierError(error).message}`;
      faults.push(...toList(this.#sessions.fail(open.session, 'engine_failed', message)));
      return draw;
    }
  }

  async #advance(answer: Answer, { token, logprobs }: Drawn): Promise<Sampled> {
    const { open, adjuster, guide } = answer;
    const { session, requestId, stopIds, maxTokens, from } = open;
    const index = answer.generated++;
    adjuster?.note(token);
    (await guide)?.note(token);
    const finish = stopIds.includes(token) ? 'stop' : answer.generated >= maxTokens ? 'length' : null;
    const sampled: Sampled = { session, requestId, index, token, finish };
    if (logprobs) sampled.logprobs = logprobs;
    if (index === (open.generated?.count ?? 0) && from) sampled.cachedTokens = from.length;
    return sampled;
  }

  /** Finds what MLX would not survive. @returns the faults that are new */
  #faultsBefore(rows: readonly Row[], input: readonly number[] | Tensor): Fault[] {
    const tokens = tokenCount(rows);
    const { shape } = input as Tensor;
    const wrong = !Array.isArray(input)
      ? shape.join() !== [tokens, this.hiddenSize].join() && `a hidden state of [${shape.join(', ')}]`
      : this.isFirst
        ? input.length !== tokens && `${input.length} token ids`
        : 'token ids, which go to the first stage only,';
    if (wrong) return this.#failAll(rows, `${wrong} for rows of ${tokens} tokens`);
    let begin = 0;
    return rows.flatMap((row) => {
      const ids = Array.isArray(input) ? input.slice(begin, begin + row.count) : [];
      begin += row.count;
      const strange = ids.find((id: number) => !Number.isInteger(id) || id < 0 || id >= this.vocabSize);
      if (strange === undefined) return this.#sessions.check(row) ?? [];
      const message = `token id ${strange} is not in the vocabulary of ${this.vocabSize}`;
      return this.#sessions.fail(row.session, 'engine_failed', message) ?? [];
    });
  }

  /** All sessions of a step are given up: what became of their KV is not known. */
  #failAll(rows: readonly Row[], reason: unknown): Fault[] {
    const message = `layers ${formatRange(this.range)}: ${asEspalierError(reason).message}`;
    return rows.flatMap(({ session }) => this.#sessions.fail(session, 'engine_failed', message) ?? []);
  }

  #notFinite(): string {
    const layers = formatRange(this.range);
    return `what layers ${layers} compute is not finite: a weight of the model is damaged there`;
  }
}

function toList<T>(item: T | undefined): T[] {
  return item === undefined ? [] : [item];
}
