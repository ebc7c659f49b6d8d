// What the cost model says of a set-up that somebody else measured.
import { builtinCard } from '../../../controller/models/builtin.ts';
import { parseHardware } from '../../../controller/planner/hardware.ts';
import type { PlannerNode } from '../../../controller/planner/inputs.ts';
import { makePlan } from '../../../controller/planner/planner.ts';
import {
  type Placed,
  placePlan,
  predictDecode,
  predictPrefill,
} from '../../../controller/planner/predict.ts';
import type { ModelCard } from '../../../protocol/plan.ts';
import { tensorParallelDecode } from './tensor-parallel.ts';

type Model = string | ModelCard;

const cardOf = (model: Model): ModelCard => (typeof model === 'string' ? builtinCard(model) : model);

/** A pipeline over all of the hardware, as the planner makes it. @param hardware see parseHardware */
export function pipeline(hardware: string, model: Model, contextTokens = 4_096): Placed {
  const card = cardOf(model);
  const parsed = parseHardware(hardware);
  const request = { card, ...parsed, goal: 'throughput' as const, contextTokens, streams: 1 };
  return placePlan(card, makePlan(request), parsed.nodes);
}

/** Tokens a second of one stream. @param contextTokens that each token attends to */
export function decode(hardware: string, model: Model, contextTokens = 512): number {
  return predictDecode(pipeline(hardware, model), 1, contextTokens);
}

export function prefill(hardware: string, model: Model, promptTokens: number): number {
  return predictPrefill(pipeline(hardware, model), promptTokens);
}

export function tensor(nodes: number, hardware: string, model: Model): number {
  const [node] = parseHardware(hardware).nodes as [PlannerNode];
  return tensorParallelDecode(cardOf(model), node, nodes);
}
