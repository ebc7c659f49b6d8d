// Experts whose weights are plain or packed as node-mlx's kernels take them: few tokens gather the weights of their own
// experts, many are sorted by expert.
import type { ExpertRouter } from './expert-router.ts';
import { unpackFromRows } from './hold.ts';
import { mapPacked, unpack } from './matrix.ts';
import { gated } from './mlp.ts';
import { mx, type Tensor } from './mlx.ts';
import { type ExpertProduct, sortedExperts } from './sorted-experts.ts';
import type { ExpertForm } from './switch-mlp.ts';
import { isPacked, type LinearWeights } from './weights.ts';

/** With so many tokens an expert, plain weights are better multiplied expert by expert (measured on the CPU). */
const PLAIN_FROM_TOKENS = 5;

interface Modules {
  /** [experts, inner, hidden] */
  gate: LinearWeights;
  up: LinearWeights;
  /** [experts, hidden, inner] */
  down: LinearWeights;
}

export class GatheredExperts implements ExpertForm {
  readonly #modules: Modules;
  readonly #experts: number;
  readonly #sortFromTokens: number;

  /** @param sortFromTokens tokens an expert from which they are sorted; as it was measured for the weight when absent */
  constructor(modules: Modules, sortFromTokens?: number) {
    const { gate } = modules;
    this.#modules = modules;
    this.#experts = gate.weight.shape[0] as number;
    this.#sortFromTokens = sortFromTokens ?? (isPacked(gate) ? unpackFromRows(gate) : PLAIN_FROM_TOKENS);
  }

  get tensors(): readonly Tensor[] {
    return Object.values(this.#modules).flatMap(({ weight, scales, biases }: LinearWeights) =>
      [weight, scales, biases].filter((tensor) => tensor !== undefined),
    );
  }

  forward(x: Tensor, router: ExpertRouter): Tensor {
    const { gate, up, down } = this.#modules;
    const { indices, scores } = router.onDevice(x);
    if (indices.size < this.#experts * this.#sortFromTokens) return this.#gathered(x, indices, scores);
    return sortedExperts(
      x,
      { experts: indices.tolist() as number[][], scores: scores.astype(mx.float32).tolist() as number[][] },
      (each) => gated(each(one(gate)), each(one(up))),
      one(down),
    );
  }

  #gathered(x: Tensor, indices: Tensor, scores: Tensor): Tensor {
    const { gate, up, down } = this.#modules;
    const [tokens, chosen] = indices.shape as [number, number];
    const blocks = x.reshape(tokens, 1, x.shape[1] as number);
    const rows = mx.broadcastTo(mx.arange(tokens, mx.uint32).reshape(tokens, 1), [tokens, chosen]);
    // [tokens, chosen, 1, inner]
    const inner = gated(gathered(gate, blocks, rows, indices), gathered(up, blocks, rows, indices));
    const flat = inner.reshape(tokens * chosen, 1, inner.shape[3] as number);
    const each = mx.arange(tokens * chosen, mx.uint32).reshape(tokens, chosen);
    const answers = gathered(down, flat, each, indices).reshape(tokens, chosen, x.shape[1] as number);
    return mx.matmul(scores.reshape(tokens, 1, chosen), answers).reshape(...x.shape);
  }
}

/**
 * Each row with its own experts.
 * @param x [blocks, 1, inputs]
 * @param rows uint32 [n, k]: the block of x @param experts uint32 [n, k]: the expert
 * @returns [n, k, 1, outputs]
 */
function gathered(weights: LinearWeights, x: Tensor, rows: Tensor, experts: Tensor): Tensor {
  if (!isPacked(weights)) return mx.blockSparseMM(x, weights.weight.swapaxes(1, 2), rows, experts);
  const { weight, scales, biases, quantization } = weights;
  const { groupSize, bits } = quantization;
  return mx.blockSparseQMM(x, weight, scales, biases, rows, experts, true, groupSize, bits);
}

/** Rows with one expert. */
function one(weights: LinearWeights): ExpertProduct {
  return (expert, rows) => {
    const own = isPacked(weights)
      ? unpack(mapPacked(weights, (tensor) => tensor.index(expert)))
      : weights.weight.index(expert);
    return mx.matmul(rows, own.swapaxes(0, 1));
  };
}
