// One stage's engine: runs steps over its layers and keeps the sessions' KV. Math only: it knows no network, no clock
// and no other stage. Bad input is refused before MLX sees it, because MLX would not survive it.
import { EspalierError } from '../../protocol/errors.ts';
import { MAX_VOCABULARY } from '../../protocol/limits.ts';
import { openModelFolder } from '../../protocol/model-folder.ts';
import { formatRange, type LayerRange } from '../../protocol/plan.ts';
import { ALL, mx, type Tensor } from './mlx.ts';
import { loadStageModel } from './models/registry.ts';
import { type Draw, type Drawn, sample } from './sampler.ts';
import { LogitAdjuster } from './sampling/adjuster.ts';
import { type Row, type SessionOp, type StageModel, tokenCount } from './step.ts';

/** From this many tokens on, a step is computed layer by layer, which keeps the peak memory at one layer's. */
const LAYERWISE_FROM_TOKENS = 16;

export interface EngineOptions {
  modelDir: string;
  range: LayerRange;
  contextTokens: number;
  maxSessions: number;
  /** gives memory back: node-mlx frees tensors only after a garbage collection and a turn of the event loop */
  settle: () => Promise<void>;
}

/** What the last stage says of a sampled row. */
export interface Sampled {
  session: number;
  requestId: string;
  index: number;
  token: number | undefined;
  finish: 'stop' | 'length' | null;
  /** where the request asked for log probabilities */
  logprobs?: Drawn['logprobs'];
}

interface Session {
  requestId: string;
  open: SessionOp & { op: 'open' };
  /** tokens whose KV is written */
  length: number;
  generated: number;
  /** last stage: what the request does to its logits, if anything */
  adjuster: LogitAdjuster | undefined;
}

export class Engine {
  readonly weightBytes: number;
  readonly fingerprint: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly #model: StageModel;
  readonly #options: EngineOptions;
  readonly #sessions = new Map<number, Session>();
  #anticipated: { rows: readonly Row[]; prepared: unknown } | undefined;

  private constructor(
    model: StageModel,
    options: EngineOptions,
    facts: Pick<Engine, 'weightBytes' | 'fingerprint' | 'vocabSize' | 'hiddenSize' | 'isFirst' | 'isLast'>,
  ) {
    this.#model = model;
    this.#options = options;
    this.weightBytes = facts.weightBytes;
    this.fingerprint = facts.fingerprint;
    this.vocabSize = facts.vocabSize;
    this.hiddenSize = facts.hiddenSize;
    this.isFirst = facts.isFirst;
    this.isLast = facts.isLast;
  }

  /**
   * Checks and loads a layer range of a model folder.
   * @throws EspalierError model_folder_missing, model_file_missing, model_file_damaged, model_mismatch, model_unsupported
   */
  static async load(options: EngineOptions): Promise<Engine> {
    const folder = await openModelFolder(options.modelDir);
    const { vocab_size: vocabSize, hidden_size: hiddenSize, num_hidden_layers: layers } = folder.config;
    if (vocabSize > MAX_VOCABULARY) {
      throw new EspalierError(
        'model_unsupported',
        `a vocabulary of ${vocabSize} tokens; at most ${MAX_VOCABULARY} are supported`,
      );
    }
    const { model, weightBytes } = await loadStageModel(folder, options.range, options.settle);
    await options.settle();
    return new Engine(model, options, {
      weightBytes,
      fingerprint: folder.fingerprint,
      vocabSize,
      hiddenSize,
      isFirst: options.range.start === 0,
      isLast: options.range.end === layers,
    });
  }

  get kvBytes(): number {
    return this.#model.kvByteLength;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Opens and drops sessions, as a step frame says. @throws EspalierError engine_failed for what cannot be */
  apply(ops: readonly SessionOp[]): void {
    for (const op of ops) {
      if (op.op === 'drop') {
        this.#sessions.delete(op.session);
        this.#model.drop(op.session);
      } else if (this.#sessions.has(op.session)) {
        throw new EspalierError('engine_failed', `session ${op.session} is open already`);
      } else if (this.#sessions.size >= this.#options.maxSessions) {
        throw new EspalierError('engine_failed', `no room for another session beside ${this.#sessions.size}`);
      } else {
        const adjuster = this.isLast ? LogitAdjuster.of(op, this.vocabSize) : undefined;
        this.#sessions.set(op.session, {
          requestId: op.requestId,
          open: op,
          length: 0,
          generated: 0,
          adjuster,
        });
      }
    }
  }

  /**
   * Runs a step's rows through this stage's layers, after `apply` did the step's operations.
   * @param rows at least one
   * @param input token ids of all rows on the first stage, elsewhere the hidden state [tokens, hidden]
   * @returns the hidden state after this stage's layers, [tokens, hidden]; a short step's is evaluated when it is read,
   *   together with what comes after it, because every evaluation waits for MLX's own thread
   * @throws EspalierError engine_failed when rows and sessions do not fit; then nothing was computed
   */
  async run(rows: readonly Row[], input: readonly number[] | Tensor): Promise<Tensor> {
    this.#check(rows, input);
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
    for (const row of rows) this.#session(row).length = row.position + row.count;
    return hidden;
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

  /** Last stage: draws the next token of each sampling row. A token is undefined where the logits are not finite. */
  async sample(rows: readonly Row[], hidden: Tensor): Promise<Sampled[]> {
    const logits = this.logits(rows, hidden);
    if (!logits) return [];
    const sessions = rows.filter((row) => row.sample).map((row) => this.#session(row));
    const draws = sessions.map(
      ({ open, generated, adjuster }): Draw => ({ sampling: open.sampling, index: generated, adjuster }),
    );
    const drawn = await sample(logits, draws, this.#options.settle);
    return sessions.map((session, i) => {
      const { requestId, open, adjuster } = session;
      const { token, logprobs } = drawn[i] ?? {};
      const index = session.generated++;
      if (token !== undefined) adjuster?.note(token);
      const stopped = token !== undefined && open.stopIds.includes(token);
      const finish = stopped ? 'stop' : session.generated >= open.maxTokens ? 'length' : null;
      const sampled: Sampled = { session: open.session, requestId, index, token, finish };
      return logprobs ? { ...sampled, logprobs } : sampled;
    });
  }

  #check(rows: readonly Row[], input: readonly number[] | Tensor): void {
    const refuse = (what: string) =>
      new EspalierError('engine_failed', `stage ${formatRange(this.#options.range)}: ${what}`);
    for (const row of rows) {
      const session = this.#sessions.get(row.session);
      if (!session) throw refuse(`session ${row.session} is not open`);
      if (row.position !== session.length) {
        throw refuse(
          `session ${row.session} is ${session.length} tokens long, a row begins at ${row.position}`,
        );
      }
      if (row.position + row.count > this.#options.contextTokens) {
        throw refuse(
          `session ${row.session} would exceed the context of ${this.#options.contextTokens} tokens`,
        );
      }
    }
    const tokens = tokenCount(rows);
    if (Array.isArray(input)) {
      if (!this.isFirst) throw refuse('token ids go to the first stage only');
      if (input.length !== tokens) throw refuse(`${input.length} token ids for rows of ${tokens} tokens`);
      const wrong = input.find((id: number) => !Number.isInteger(id) || id < 0 || id >= this.vocabSize);
      if (wrong !== undefined)
        throw refuse(`token id ${wrong} is not in the vocabulary of ${this.vocabSize}`);
      return;
    }
    const { shape } = input as Tensor;
    if (shape.join() !== [tokens, this.hiddenSize].join()) {
      throw refuse(`a hidden state of [${shape.join(', ')}] for rows of ${tokens} tokens`);
    }
  }

  #session(row: Row): Session {
    const session = this.#sessions.get(row.session);
    if (!session) throw new EspalierError('engine_failed', `session ${row.session} is not open`);
    return session;
  }
}
