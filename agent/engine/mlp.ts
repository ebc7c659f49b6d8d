// The gated feed-forward block that all of R1's family share: down(silu(gate(x)) · up(x)).
import { Linear } from './linear.ts';
import { mx, type Tensor } from './mlx.ts';
import type { Weights } from './weights.ts';

export function silu(x: Tensor): Tensor {
  return mx.multiply(x, mx.sigmoid(x));
}

export class Mlp {
  readonly #gate: Linear;
  readonly #up: Linear;
  readonly #down: Linear;

  /** @param path of the module that holds gate_proj, up_proj and down_proj */
  constructor(weights: Weights, path: string) {
    this.#gate = new Linear(weights.linear(`${path}.gate_proj`));
    this.#up = new Linear(weights.linear(`${path}.up_proj`));
    this.#down = new Linear(weights.linear(`${path}.down_proj`));
  }

  /** @param x [tokens, hidden] @returns [tokens, hidden] */
  forward(x: Tensor): Tensor {
    return this.#down.forward(mx.multiply(silu(this.#gate.forward(x)), this.#up.forward(x)));
  }
}
