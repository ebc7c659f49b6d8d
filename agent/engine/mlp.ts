// The gated feed-forward block that all of R1's family share: down(silu(gate(x)) · up(x)).
import { Linear } from './linear.ts';
import { mx, ON_GPU, type Tensor } from './mlx.ts';
import type { Weights } from './weights.ts';

/** Numbers from which node-mlx's power on the CPU (4.4 ns each) is worth two calls more than its sigmoid (8.0 ns). */
const POWER_FROM = 4096;

/** @returns silu(gate) · up */
export function gated(gate: Tensor, up: Tensor): Tensor {
  return mx.multiply(silu(gate), up);
}

/** What one product for gate and up gives. @param both [..., 2 · inner] @returns two [..., inner] */
export function halves(both: Tensor): [Tensor, Tensor] {
  return mx.split(both, [(both.shape.at(-1) as number) / 2], -1) as [Tensor, Tensor];
}

function silu(x: Tensor): Tensor {
  if (ON_GPU || x.size < POWER_FROM) return mx.multiply(x, mx.sigmoid(x));
  // x / (1 + 2^(-x · log2 e))
  return mx.divide(x, mx.add(mx.power(2, mx.multiply(x, -Math.LOG2E)), 1));
}

export class Mlp {
  readonly #gateAndUp: Linear;
  readonly #down: Linear;

  /** @param path of the module that holds gate_proj, up_proj and down_proj */
  constructor(weights: Weights, path: string) {
    this.#gateAndUp = new Linear(weights, `${path}.gate_proj`, `${path}.up_proj`);
    this.#down = new Linear(weights, `${path}.down_proj`);
  }

  /** @param x [tokens, hidden] @returns [tokens, hidden] */
  forward(x: Tensor): Tensor {
    return this.#down.forward(gated(...halves(this.#gateAndUp.forward(x))));
  }
}
