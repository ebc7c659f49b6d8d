// What one request does to its logits before anything is drawn: stop tokens held back, biases, penalties. It knows the
// request's own tokens and nothing else; only ids and values of tokens that change are moved to the device.
import type { Sampling } from '../../../protocol/generate.ts';
import { mx, type Tensor } from '../mlx.ts';

export interface AdjusterOptions {
  sampling: Sampling;
  stopIds: readonly number[];
  /** the distinct ids of the prompt; needed for a repetition penalty */
  promptIds?: readonly number[] | undefined;
  /** of an answer that has tokens already, how often each; needed for any penalty */
  generated?: { counts?: readonly (readonly [id: number, count: number])[] | undefined } | undefined;
}

export class LogitAdjuster {
  readonly #sampling: Sampling;
  readonly #stopIds: readonly number[];
  readonly #bias: { ids: Tensor; values: Tensor } | undefined;
  readonly #promptIds: Tensor | undefined;
  readonly #inPrompt: Set<number>;
  /** how often the answer has each of its tokens */
  readonly #counts = new Map<number, number>();

  private constructor({ sampling, stopIds, promptIds = [], generated }: AdjusterOptions, vocabulary: number) {
    // MLX does not check an index: one that is out of range would read or write anywhere
    const isToken = (id: number) => id < vocabulary;
    this.#sampling = sampling;
    this.#stopIds = [...new Set(stopIds)].filter(isToken);
    // a vocabulary of nothing but stop tokens leaves no other to draw
    if (this.#stopIds.length === vocabulary) this.#stopIds = [];
    const bias = (sampling.logitBias ?? []).filter(([id]) => isToken(id));
    if (bias.length > 0) {
      const values = mx.array(
        bias.map(([, value]) => value),
        mx.float32,
      );
      this.#bias = { ids: idsTensor(bias.map(([id]) => id)), values };
    }
    this.#inPrompt = new Set(promptIds.filter(isToken));
    if (this.#inPrompt.size > 0) this.#promptIds = idsTensor([...this.#inPrompt]);
    for (const [id, count] of generated?.counts ?? []) if (isToken(id)) this.#counts.set(id, count);
  }

  /** @returns undefined for a request that takes its logits as they are */
  static of(options: AdjusterOptions, vocabulary: number): LogitAdjuster | undefined {
    const { minTokens, logitBias = [], repetitionPenalty = 1, ...penalties } = options.sampling;
    const isNeeded =
      minTokens ||
      logitBias.length > 0 ||
      repetitionPenalty !== 1 ||
      penalties.presencePenalty ||
      penalties.frequencyPenalty;
    return isNeeded ? new LogitAdjuster(options, vocabulary) : undefined;
  }

  /** Takes note of a token of the answer. */
  note(token: number): void {
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
  }

  /**
   * The logits as the request wants them for the `index`-th token of its answer. `row`, float32 [vocabulary], stays as
   * it is. The order is vLLM's (and mlx-lm's): a bias is part of the logit that a penalty sees.
   */
  apply(row: Tensor, index: number): Tensor {
    const adjusted = mx.add(row, 0);
    this.#holdBack(adjusted, index);
    if (this.#bias) {
      const { ids, values } = this.#bias;
      change(adjusted, ids, (logits) => mx.add(logits, values));
    }
    this.#penalizeRepetition(adjusted);
    this.#penalizeAnswer(adjusted);
    return adjusted;
  }

  #holdBack(row: Tensor, index: number): void {
    if (index >= (this.#sampling.minTokens ?? 0) || this.#stopIds.length === 0) return;
    change(row, idsTensor(this.#stopIds), (logits) => mx.add(logits, Number.NEGATIVE_INFINITY));
  }

  /** Keskar et al. 2019 (arXiv 1909.05858), for either sign: each token once, be it in the prompt or the answer. */
  #penalizeRepetition(row: Tensor): void {
    const { repetitionPenalty: penalty = 1 } = this.#sampling;
    if (penalty === 1) return;
    const penalize = (logits: Tensor) =>
      mx.where(mx.less(logits, 0), mx.multiply(logits, penalty), mx.divide(logits, penalty));
    if (this.#promptIds) change(row, this.#promptIds, penalize);
    const others = [...this.#counts.keys()].filter((id) => !this.#inPrompt.has(id));
    if (others.length > 0) change(row, idsTensor(others), penalize);
  }

  /** OpenAI's formula: logit − count × frequency − (count > 0) × presence. */
  #penalizeAnswer(row: Tensor): void {
    const { presencePenalty: presence = 0, frequencyPenalty: frequency = 0 } = this.#sampling;
    if ((presence === 0 && frequency === 0) || this.#counts.size === 0) return;
    const amounts = [...this.#counts.values()].map((count) => count * frequency + presence);
    const values = mx.array(amounts, mx.float32);
    change(row, idsTensor([...this.#counts.keys()]), (logits) => mx.subtract(logits, values));
  }
}

/** @param ids below 2 ** 24: node-mlx makes them by way of float32 */
function idsTensor(ids: readonly number[]): Tensor {
  return mx.array(ids, mx.int32);
}

/** @param ids each at most once */
function change(row: Tensor, ids: Tensor, to: (logits: Tensor) => Tensor): void {
  row.indexPut_([ids], to(mx.take(row, ids, 0)));
}
