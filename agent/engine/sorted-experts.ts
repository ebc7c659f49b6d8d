// Runs many tokens through their experts, sorted by expert on the host, so that each expert's weight is read once for
// all of its tokens. It must not know how weights are held.
import { orderByExpert } from './expert-order.ts';
import type { HostChoice } from './expert-router.ts';
import { mx, type Tensor } from './mlx.ts';

/** One expert's linear module. @param rows [n, inputs] @returns [n, outputs] */
export type ExpertProduct = (expert: number, rows: Tensor) => Tensor;

/**
 * @param x [tokens, hidden]
 * @param inner what goes into the last module: gets a function that applies a module to all tokens' rows, each with its
 *   expert
 * @param down the last module
 * @returns [tokens, hidden]: the chosen experts' answers times their scores, added up
 */
export function sortedExperts(
  x: Tensor,
  { experts, scores }: HostChoice,
  inner: (each: (product: ExpertProduct) => Tensor) => Tensor,
  down: ExpertProduct,
): Tensor {
  const [tokens, hidden] = x.shape as [number, number];
  const chosen = experts[0]?.length ?? 0;
  const { groups, tokens: from, places } = orderByExpert(experts);
  const each = (rows: Tensor, product: ExpertProduct) =>
    mx.concatenate(
      groups.map(({ expert, begin, end }) => product(expert, rows.index(mx.Slice(begin, end)))),
      0,
    );
  const sorted = mx.take(x, mx.array(from, mx.int32), 0);
  const answers = each(
    inner((product) => each(sorted, product)),
    down,
  );
  const back = mx.take(answers, mx.array(places, mx.int32), 0).reshape(tokens, chosen, hidden);
  const own = mx.array(scores).astype(x.dtype).reshape(tokens, 1, chosen);
  return mx.matmul(own, back).reshape(tokens, hidden);
}
