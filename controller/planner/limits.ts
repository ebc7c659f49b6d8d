// What limits a plan, with the arithmetic in words. Pure; it explains figures and computes none that are not predicted
// elsewhere.
import type { Plan } from '../../protocol/plan.ts';
import type { PlanLimit } from '../../protocol/plan-report.ts';
import { BANDWIDTH_SHARE, decodeLayerBytes, layerOverheadMs, ONE_ROW, STAGE_OVERHEAD_MS } from './cost.ts';
import { carryMs, hopMs } from './links.ts';
import { kvTokenBytes, rangeBytes, roomBytes } from './memory.ts';
import { type Placed, predictDecode, stageDecodeMs, stepBytes } from './predict.ts';
import { count, gib, milliseconds, plural, rate } from './words.ts';

/** A way round that is longer than the stages need by less than this is not what limits them. */
const WORTH_SAYING_SHARE = 0.02;

/** One sentence for each figure: one stream, all stages busy, the longest context. */
export function planLimits(placed: Placed, plan: Plan): PlanLimit[] {
  return [oneStream(placed), ...(placed.stages.length > 1 ? [allBusy(placed)] : []), context(placed, plan)];
}

function oneStream(placed: Placed): PlanLimit {
  const times = stageDecodeMs(placed, ONE_ROW);
  const layersMs = sum(times);
  const hops = hopTimes(placed);
  const hopsMs = sum(hops);
  const speed = `${rate(predictDecode(placed, 1))} tok/s`;
  if (placed.stages.length === 1) return { of: 'one stream', ...stageWords(placed, 0) };
  const way = `a token passes ${plural(placed.stages.length, 'stage')} in turn: ${milliseconds(layersMs)} in them and ${milliseconds(hopsMs)} on the hops between, ${speed}`;
  if (hopsMs > layersMs) return { of: 'one stream', by: 'link', text: `${way}; ${slowestHop(placed, hops)}` };
  const parts = placed.stages.map((_, i) => stageParts(placed, i));
  const readMs = sum(parts.map((part) => part.readMs));
  const overheadMs = sum(parts.map((part) => part.overheadMs));
  return {
    of: 'one stream',
    by: readMs >= overheadMs ? 'bandwidth' : 'overhead',
    text: `${way}; of the time in stages, reading weights and KV is ${milliseconds(readMs)}. More stages add room and speed for several streams, not for one`,
  };
}

function allBusy(placed: Placed): PlanLimit {
  const times = stageDecodeMs(placed, ONE_ROW);
  const bytes = stepBytes(placed, 1);
  const carries = placed.links.map((link, i) => carryMs(link, bytes[i] ?? 0));
  const slowestMs = Math.max(...times, ...carries);
  const roundMs = sum(times) + sum(hopTimes(placed));
  const busiest = carries.indexOf(slowestMs);
  const groups = placed.stages.length;
  if (roundMs > groups * slowestMs * (1 + WORTH_SAYING_SHARE)) {
    return {
      of: 'all stages busy',
      by: 'link',
      text: `a step is ${milliseconds(roundMs)} on its way round, longer than the slowest stage needs for ${groups} of them (${milliseconds(groups * slowestMs)}): ${slowestHop(placed, hopTimes(placed))}`,
    };
  }
  if (busiest >= 0) {
    const link = placed.links[busiest] as Placed['links'][number];
    return {
      of: 'all stages busy',
      by: 'link',
      text: `the link ${hopName(placed, busiest)} (${link.label}, ${rate(link.linkGbps)} Gbit/s) is busy for ${milliseconds(slowestMs)} with each step of ${count(Math.round(bytes[busiest] ?? 0))} bytes`,
    };
  }
  return { of: 'all stages busy', ...stageWords(placed, times.indexOf(slowestMs)) };
}

/** Why a stage takes as long as it does. */
function stageWords(placed: Placed, index: number): Pick<PlanLimit, 'by' | 'text'> {
  const { node, range } = placed.stages[index] as Placed['stages'][number];
  const ms = stageDecodeMs(placed, ONE_ROW)[index] ?? 0;
  const { readMs, overheadMs, readBytes, isMeasured } = stageParts(placed, index);
  const layers = plural(range.end - range.start, 'layer');
  const end = `${milliseconds(ms)} a step, ${rate(1000 / ms)} steps a second`;
  const who = `${node.name} is the slowest stage`;
  const begin = placed.stages.length === 1 ? node.name : who;
  if (isMeasured) return { by: 'bandwidth', text: `${begin}: ${layers}, as measured, ${end}` };
  return {
    by: readMs >= overheadMs ? 'bandwidth' : 'overhead',
    text:
      `${begin}: ${layers} read ${(readBytes / 1e9).toFixed(2)} GB a step at ${rate(node.bandwidthGBps * BANDWIDTH_SHARE)} GB/s ` +
      `(${BANDWIDTH_SHARE} × ${rate(node.bandwidthGBps)} GB/s) = ${milliseconds(readMs)}, and ${milliseconds(overheadMs)} of overhead: ${end}`,
  };
}

function stageParts({ card, stages }: Placed, index: number) {
  const { node, range } = stages[index] as Placed['stages'][number];
  let readBytes = range.end === card.layerCount ? card.headBytes : 0;
  let overheadMs = STAGE_OVERHEAD_MS;
  let isMeasured = false;
  for (let layer = range.start; layer < range.end; layer++) {
    const kind = card.layerKinds[layer] ?? 'dense';
    readBytes += decodeLayerBytes(card, layer, node, ONE_ROW);
    overheadMs += layerOverheadMs(card, layer);
    isMeasured ||= node.measured?.[kind]?.decodeMs !== undefined;
  }
  const readMs = readBytes / (node.bandwidthGBps * BANDWIDTH_SHARE * 1e6);
  return { readBytes, readMs, overheadMs, isMeasured };
}

function context({ card, stages }: Placed, { kvTokens }: Plan): PlanLimit {
  if (kvTokens >= card.contextTokens) {
    return {
      of: 'context',
      by: 'model',
      text: `the model's own ${count(card.contextTokens)} tokens; there is room for KV of ${count(kvTokens)} in all`,
    };
  }
  const rooms = stages.map(({ node, range }) => {
    const left = roomBytes(node) - rangeBytes(card, range);
    return { node, left, token: kvTokenBytes(card, node, range.end - range.start) };
  });
  const { node, left, token } = rooms.reduce((a, b) => (b.left / b.token < a.left / a.token ? b : a));
  return {
    of: 'context',
    by: 'memory',
    text: `${node.name} has ${gib(left)} left beside its weights, and a token's KV takes ${count(Math.round(token))} bytes there: ${count(kvTokens)} tokens`,
  };
}

function hopTimes(placed: Placed): number[] {
  const bytes = stepBytes(placed, 1);
  return placed.links.map((link, i) => hopMs(link, bytes[i] ?? 0));
}

function slowestHop(placed: Placed, hops: readonly number[]): string {
  const index = hops.indexOf(Math.max(...hops));
  const { label, roundTripMs } = placed.links[index] as Placed['links'][number];
  return `the slowest hop is ${hopName(placed, index)} over ${label}: ${milliseconds(hops[index] ?? 0)}, of it ${milliseconds(roundTripMs / 2)} half a round trip`;
}

function hopName({ stages }: Placed, index: number): string {
  const from = stages[index] as Placed['stages'][number];
  const to = stages[(index + 1) % stages.length] as Placed['stages'][number];
  return `${from.node.name} → ${to.node.name}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
