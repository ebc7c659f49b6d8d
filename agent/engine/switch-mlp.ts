// A feed-forward block per expert, each token with its own few. Which experts, the router decides; how their weights are
// held, this decides by the machine: codes laid out for BLAS on the CPU, packed ones on Metal.
import { CodedExperts } from './coded-experts.ts';
import type { ExpertRouter } from './expert-router.ts';
import { GatheredExperts } from './gathered-experts.ts';
import { codedExpertMatrix } from './hold.ts';
import { joinedWeights } from './linear.ts';
import { ON_GPU, type Tensor } from './mlx.ts';
import { type Held, isPacked, type Later, type Weights } from './weights.ts';

/** How all experts of a layer are held and computed. */
export interface ExpertForm extends Held {
  /**
   * @param x [tokens, hidden]
   * @returns [tokens, hidden]: the answers of the experts that the router chooses times their scores, added up
   */
  forward(x: Tensor, router: ExpertRouter): Tensor;
}

export class SwitchMlp {
  readonly #held: Later<ExpertForm>;

  /** @param path of the module that holds gate_proj, up_proj and down_proj, the experts stacked in each */
  constructor(weights: Weights, path: string) {
    this.#held = weights.later(async (source): Promise<ExpertForm> => {
      const [gate, up] = [await source.linear(`${path}.gate_proj`), await source.linear(`${path}.up_proj`)];
      const down = await source.linear(`${path}.down_proj`);
      // on Metal, gate and up stay apart: joining them would take the memory of a layer's experts twice
      const [gateAndUp, rest] = ON_GPU ? [] : joinedWeights([gate, up]);
      if (gateAndUp && !rest && isPacked(gateAndUp) && isPacked(down))
        return new CodedExperts(
          await codedExpertMatrix(gateAndUp, source),
          await codedExpertMatrix(down, source),
        );
      return new GatheredExperts({ gate, up, down });
    });
  }

  /** As ExpertForm says. */
  forward(x: Tensor, router: ExpertRouter): Tensor {
    return this.#held.value.forward(x, router);
  }
}
