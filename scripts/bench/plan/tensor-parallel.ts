// One stream over several Macs by tensor parallelism, for comparing the cost model with what others published: the planner
// itself makes pipelines.
import { activeLayerBytes, BANDWIDTH_SHARE, layerOverheadMs } from '../../../controller/planner/cost.ts';
import type { PlannerNode } from '../../../controller/planner/inputs.ts';
import type { ModelCard } from '../../../protocol/plan.ts';

/** One all-reduce of a few bytes by JACCL over Thunderbolt 5, measured by others on two M4 Pro minis. */
const ALL_REDUCE_MS = 0.0255;
/** After attention and after the feed-forward block. */
const ALL_REDUCES_PER_LAYER = 2;

/** Tokens a second: each node reads its share of the weights; overhead and all-reduces are not shared. */
export function tensorParallelDecode(card: ModelCard, node: PlannerNode, nodes: number): number {
  const perNode = node.bandwidthGBps * BANDWIDTH_SHARE * 1e6 * nodes;
  let ms = card.headBytes / perNode;
  for (const layer of card.layerKinds.keys()) {
    ms += activeLayerBytes(card, layer, 1) / perNode + layerOverheadMs(card, layer);
    if (nodes > 1) ms += ALL_REDUCES_PER_LAYER * ALL_REDUCE_MS;
  }
  return 1000 / ms;
}
