// Cards, nodes and requests on paper, for the tests of planning.
import { builtinCard } from '../../../controller/models/builtin.ts';
import { parseHardware } from '../../../controller/planner/hardware.ts';
import type { PlannerNode, PlanRequest } from '../../../controller/planner/inputs.ts';
import { makePlan } from '../../../controller/planner/planner.ts';
import { planReport } from '../../../controller/planner/report.ts';
import type { ModelCard } from '../../../protocol/plan.ts';
import type { PlanReport } from '../../../protocol/plan-report.ts';

export const GIB = 2 ** 30;

/** A card of dense layers without KV, embedding and head, where nothing else is said. */
export function cardWith(fields: Partial<ModelCard> & { layerBytes: number[] }): ModelCard {
  const layerCount = fields.layerBytes.length;
  return {
    id: 'm',
    architecture: 'deepseek_v3',
    layerCount,
    vocabSize: 100,
    hiddenSize: 1024,
    attentionHeads: 4,
    contextTokens: 1000,
    quantization: '4-bit',
    layerKinds: new Array(layerCount).fill('dense'),
    routedLayerBytes: new Array(layerCount).fill(0),
    experts: null,
    embeddingBytes: 0,
    headBytes: 0,
    fileBytes: 0,
    layerFlops: new Array(layerCount).fill(0),
    headFlops: 0,
    attentionPairFlops: 0,
    hasLatentAttention: false,
    kvValuesPerTokenLayer: 0,
    ...fields,
  };
}

/** A node of 64 GiB, of which all may be used, where nothing else is said. */
export function node(name: string, fields: Partial<PlannerNode> = {}): PlannerNode {
  const memoryBytes = fields.memoryBytes ?? 64 * GIB;
  return {
    id: name,
    name,
    chip: 'M2 Ultra',
    memoryBytes,
    usableBytes: memoryBytes,
    usableSource: 'estimate',
    bandwidthGBps: 800,
    computeTflops: 27,
    valueBytes: 2,
    ...fields,
  };
}

/** A request for a built-in model on hardware from a line of text. */
export function paperRequest(
  hardware: string,
  model: string,
  fields: Partial<PlanRequest> = {},
): PlanRequest {
  const request = { goal: 'throughput' as const, contextTokens: 16_384, streams: 1 };
  return { card: builtinCard(model), ...parseHardware(hardware), ...request, ...fields };
}

export function paperReport(hardware: string, model: string): PlanReport {
  const request = paperRequest(hardware, model);
  return planReport(request, makePlan(request));
}
