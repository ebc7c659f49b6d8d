// A feed-forward block per expert, each token with its own few. Which experts, the architecture's router decides.
import { ExpertLinear } from './linear.ts';
import { silu } from './mlp.ts';
import { mx, type Tensor } from './mlx.ts';
import type { Weights } from './weights.ts';

/** With fewer tokens an expert, rows are gathered; from this many on, each expert's rows are multiplied together. */
const GROUP_FROM_TOKENS_PER_EXPERT = 5;

export class SwitchMlp {
  readonly #experts: number;
  readonly #gate: ExpertLinear;
  readonly #up: ExpertLinear;
  readonly #down: ExpertLinear;

  /** @param path of the module that holds gate_proj, up_proj and down_proj, the experts stacked in each */
  constructor(weights: Weights, path: string, experts: number) {
    this.#experts = experts;
    this.#gate = new ExpertLinear(weights.linear(`${path}.gate_proj`));
    this.#up = new ExpertLinear(weights.linear(`${path}.up_proj`));
    this.#down = new ExpertLinear(weights.linear(`${path}.down_proj`));
  }

  /**
   * @param x [tokens, hidden] @param indices uint32 [tokens, chosen], each below the number of experts
   * @returns [tokens, chosen, hidden]: each chosen expert's answer
   */
  forward(x: Tensor, indices: Tensor): Tensor {
    const isGrouped = indices.size >= this.#experts * GROUP_FROM_TOKENS_PER_EXPERT;
    return isGrouped ? this.#byExpert(x, indices) : this.#byToken(x, indices);
  }

  #byToken(x: Tensor, indices: Tensor): Tensor {
    const [tokens, hidden] = x.shape as [number, number];
    const chosen = indices.shape[1] as number;
    const blocks = x.reshape(tokens, 1, hidden);
    const rows = mx.broadcastTo(mx.arange(tokens, mx.uint32).reshape(tokens, 1), [tokens, chosen]);
    const inner = mx.multiply(
      silu(this.#gate.gather(blocks, rows, indices)),
      this.#up.gather(blocks, rows, indices),
    );
    const flat = inner.reshape(tokens * chosen, 1, inner.shape[3] as number);
    const each = mx.arange(tokens * chosen, mx.uint32).reshape(tokens, chosen);
    return this.#down.gather(flat, each, indices).reshape(tokens, chosen, hidden);
  }

  /** Sorts the tokens by expert on the host, so that each expert's weight is unpacked once for all of its tokens. */
  #byExpert(x: Tensor, indices: Tensor): Tensor {
    const [tokens, hidden] = x.shape as [number, number];
    const chosen = indices.shape[1] as number;
    const experts = indices.flatten().tolist() as number[];
    const places = Map.groupBy(experts.keys(), (place) => experts[place] as number);
    const parts: Tensor[] = [];
    const back = new Array<number>(tokens * chosen);
    let next = 0;
    for (const [expert, list] of places) {
      const own = mx.take(
        x,
        mx.array(
          list.map((place) => Math.floor(place / chosen)),
          mx.int32,
        ),
        0,
      );
      const inner = mx.multiply(silu(this.#gate.one(own, expert)), this.#up.one(own, expert));
      parts.push(this.#down.one(inner, expert));
      for (const place of list) back[place] = next++;
    }
    return mx.take(mx.concatenate(parts, 0), mx.array(back, mx.int32), 0).reshape(tokens, chosen, hidden);
  }
}
