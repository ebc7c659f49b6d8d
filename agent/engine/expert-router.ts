// Chooses each token's experts by sigmoid scores that a correction changes for the choice only (DeepSeek-V3, arXiv
// 2412.19437, section 2.1.2). On the device for experts that gather their weights there, on the host for those that
// sort tokens there anyway: for a few tokens, one list is faster to look through than fifteen calls are to make.
import { type ChoiceRules, chooseExperts } from './choose-experts.ts';
import { ALL, mx, type Tensor } from './mlx.ts';

/** By token: numbers of experts, each once, and their scores in the same order. */
export interface HostChoice {
  experts: number[][];
  scores: number[][];
}

export class ExpertRouter {
  readonly #transposed: Tensor;
  readonly #correction: Tensor;
  readonly #rules: ChoiceRules;
  #correctionList: number[] | undefined;

  /** @param tensors weight [experts, hidden] and correction [experts] */
  constructor(tensors: { weight: Tensor; correction: Tensor }, rules: ChoiceRules) {
    this.#transposed = tensors.weight.swapaxes(0, 1);
    this.#correction = tensors.correction;
    this.#rules = rules;
  }

  /** @param x [tokens, hidden] */
  onHost(x: Tensor): HostChoice {
    this.#correctionList ??= this.#correction.astype(mx.float32).tolist() as number[];
    const correction = this.#correctionList;
    const chosen = (this.#scores(x).tolist() as number[][]).map((scores) =>
      chooseExperts(scores, correction, this.#rules),
    );
    return { experts: chosen.map((each) => each.experts), scores: chosen.map((each) => each.scores) };
  }

  /** @param x [tokens, hidden] @returns indices uint32 [tokens, chosen] and scores [tokens, chosen] */
  onDevice(x: Tensor): { indices: Tensor; scores: Tensor } {
    const { groups, keptGroups, chosen, isNormed, factor } = this.#rules;
    const scores = this.#scores(x); // [tokens, experts]
    const [tokens, experts] = scores.shape as [number, number];
    let choice = mx.add(scores, this.#correction);
    if (keptGroups < groups) {
      const grouped = choice.reshape(tokens, groups, experts / groups);
      const best = mx.topk(grouped, Math.min(2, experts / groups), -1).sum(-1, true); // [tokens, groups, 1]
      const worstKept = mx.topk(best, keptGroups, 1).min(1, true); // [tokens, 1, 1]
      choice = mx.where(mx.greaterEqual(best, worstKept), grouped, 0).reshape(tokens, experts);
    }
    const indices = mx.argpartition(mx.negative(choice), chosen - 1, -1).index(ALL, mx.Slice(0, chosen));
    let weights = mx.takeAlongAxis(scores, indices, -1);
    if (chosen > 1 && isNormed) weights = mx.divide(weights, weights.sum(-1, true));
    return { indices, scores: mx.multiply(weights, factor).astype(x.dtype) };
  }

  #scores(x: Tensor): Tensor {
    return mx.sigmoid(mx.matmul(x, this.#transposed).astype(mx.float32));
  }
}
