// One stage's engine: runs steps over its layers and keeps the sessions' KV. Math only: it knows no network, no clock
// and no other stage. Bad input is refused before MLX sees it, because MLX would not survive it, and costs only the
// sessions that it belongs to.
import { asEspalierError } from '../../protocol/errors.ts';
import { formatRange, type LayerRange } from '../../protocol/plan.ts';
import { Answers, type DrawnRow, type DrawnStep } from './answers.ts';
import { ALL, mx, type Tensor } from './mlx.ts';
import { type Fault, type KvStore, type SessionLimits, Sessions } from './sessions.ts';
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

export type { Sampled } from './answers.ts';

export class Engine {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly #options: EngineOptions;
  readonly #layers: StageLayers;
  readonly #sessions: Sessions;
  /** last stage only */
  readonly #answers: Answers;
  #anticipated: { rows: readonly Row[]; prepared: unknown } | undefined;

  private constructor(layers: StageLayers, options: EngineOptions) {
    this.vocabSize = layers.config.vocab_size;
    this.hiddenSize = layers.config.hidden_size;
    this.#options = options;
    this.#answers = new Answers(options.modelDir, this.vocabSize);
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
    this.#answers.endAll();
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
        this.#answers.endAll();
        return this.#sessions.sync(op.sessions);
      }
      const fault = this.#sessions.apply(op);
      if (op.op !== 'trim') this.#answers.end(op.session);
      else if (op.length === 0) this.#answers.forgetCached(op.session);
      if (this.isLast && op.op === 'open' && !fault) this.#answers.begin(op);
      return fault ?? [];
    });
  }

  /** Guesses of a session from a position on are wrong: what is not computed of them yet need not be. */
  cancelGuesses(session: number, position: number): void {
    this.#sessions.cancelGuesses(session, position);
  }

  /** The rows that are worth computing after `apply`: all but guesses that are known to be wrong. */
  worthwhile(rows: readonly Row[]): readonly Row[] {
    if (rows.every(({ guess }) => guess === undefined)) return rows;
    const taken = new Set<number>();
    return rows.filter((row) => {
      // of a guess behind another one of this step the last stage knows when it has drawn that one's token
      const isOpen = !this.isLast || taken.has(row.session) || this.#answers.isRight(row);
      const isTaken = row.guess === undefined || (isOpen && !this.#sessions.isCancelled(row));
      if (isTaken) taken.add(row.session);
      return isTaken;
    });
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
      const faults = rows.flatMap(({ session, position, count, guess }) => {
        const isSound = !finite.slice(begin, begin + count).includes(false);
        begin += count;
        if (isSound) return [];
        // a guess that nobody needs must not end a request: should it be right, its row is sent again as a real one
        if (guess !== undefined) {
          this.#sessions.cancelGuesses(session, position);
          return [];
        }
        return this.#sessions.fail(session, 'engine_failed', this.#notFinite()) ?? [];
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
    const places = samplingRows(rows).map(({ place }) => place);
    return places.length > 0 ? this.#logitsAt(places, hidden) : undefined;
  }

  /** @param places at least one */
  #logitsAt(places: readonly number[], hidden: Tensor): Tensor {
    const [first] = places as [number];
    const all = places.length === hidden.shape[0];
    const one = places.length === 1 ? mx.Slice(first, first + 1) : mx.array([...places], mx.int32);
    return this.#model.head(all ? hidden : hidden.index(one, ALL));
  }

  /** Last stage: draws the next token of each sampling row whose session is sound, and whose guess was right. */
  async sample(rows: readonly Row[], hidden: Tensor): Promise<DrawnStep> {
    const wanted = samplingRows(rows);
    const step: DrawnStep = { sampled: [], faults: [] };
    try {
      await this.#answers.draw(wanted, step, {
        logitsOf: (places) => this.#logitsAt(places, hidden),
        isFaulty: (session) => this.#sessions.isFaulty(session),
        fail: (session, why) => this.#sessions.fail(session, 'engine_failed', why),
        notFinite: () => this.#notFinite(),
        settle: this.#options.settle,
      });
    } catch (error) {
      const failed = this.#failAll(
        wanted.map(({ row }) => row),
        error,
      );
      step.faults.push(...failed);
    }
    return step;
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
    const lengths = new Map<number, number>();
    return rows.flatMap((row) => {
      const length = lengths.get(row.session);
      lengths.set(row.session, row.position + row.count);
      const ids = Array.isArray(input) ? input.slice(begin, begin + row.count) : [];
      begin += row.count;
      const strange = ids.find((id: number) => !Number.isInteger(id) || id < 0 || id >= this.vocabSize);
      if (strange === undefined) return this.#sessions.check(row, length) ?? [];
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

/** The sampling rows, each with the place of its last token among those of the step. */
function samplingRows(rows: readonly Row[]): DrawnRow[] {
  let end = 0;
  return rows.flatMap((row) => {
    end += row.count;
    return row.sample ? { row, place: end - 1 } : [];
  });
}
