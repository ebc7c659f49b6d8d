// Experts whose weights are laid out for BLAS. Rows of one expert share the cost of its codes, so that few tokens are
// all multiplied with every expert that any of them chose, and many are sorted by expert.
import type { CodedExpertMatrix } from './coded-matrix.ts';
import type { ExpertRouter, HostChoice } from './expert-router.ts';
import { gated, halves } from './mlp.ts';
import { mx, type Tensor } from './mlx.ts';
import { sortedExperts } from './sorted-experts.ts';
import type { ExpertForm } from './switch-mlp.ts';

/**
 * Up to this many tokens go through all chosen experts together, which takes a third of the calls. From then on the
 * products with experts that a token did not choose, and what they leave in memory until the step is over, cost more
 * (16 experts of 0.4 million numbers, 4 of them chosen: 2.4 ms and 2.6 ms sorted with 4 tokens, 7.5 and 3.1 with 6).
 */
const TOGETHER_UP_TO_TOKENS = 4;

export class CodedExperts implements ExpertForm {
  readonly #gateAndUp: CodedExpertMatrix;
  readonly #down: CodedExpertMatrix;
  readonly #togetherUpTo: number;

  /** @param gateAndUp [experts, 2 · inner, hidden] @param down [experts, hidden, inner] */
  constructor(gateAndUp: CodedExpertMatrix, down: CodedExpertMatrix, togetherUpTo = TOGETHER_UP_TO_TOKENS) {
    this.#gateAndUp = gateAndUp;
    this.#down = down;
    this.#togetherUpTo = togetherUpTo;
  }

  get tensors(): readonly Tensor[] {
    return [...this.#gateAndUp.tensors, ...this.#down.tensors];
  }

  forward(x: Tensor, router: ExpertRouter): Tensor {
    const choice = router.onHost(x);
    if (choice.experts.length <= this.#togetherUpTo) return this.#together(x, choice);
    return sortedExperts(
      x,
      choice,
      (each) => gated(...halves(each((expert, rows) => this.#gateAndUp.one(expert, rows)))),
      (expert, rows) => this.#down.one(expert, rows),
    );
  }

  /** Every token with every expert that any of them chose; with scores of 0 where it did not. */
  #together(x: Tensor, choice: HostChoice): Tensor {
    const shares = sharesByExpert(choice);
    const experts = [...shares.keys()];
    const inner = gated(...halves(this.#gateAndUp.some(experts, x.reshape(1, ...x.shape))));
    const each = this.#down.some(experts, inner); // [experts, tokens, hidden]
    const own = mx.array([...shares.values()]).reshape(experts.length, choice.experts.length, 1);
    const parts = mx.multiply(each, own);
    // zero times what is not finite would spoil tokens that have nothing to do with that expert
    const chosen = choice.experts.length === 1 ? parts : mx.where(mx.equal(own, 0), 0, parts);
    return chosen.sum(0);
  }
}

/** For each chosen expert its score with every token. */
function sharesByExpert({ experts, scores }: HostChoice): Map<number, number[]> {
  const shares = new Map<number, number[]>();
  for (const [token, chosen] of experts.entries()) {
    for (const [i, expert] of chosen.entries()) {
      const own = shares.get(expert) ?? new Array<number>(experts.length).fill(0);
      own[token] = scores[token]?.[i] as number;
      shares.set(expert, own);
    }
  }
  return shares;
}
