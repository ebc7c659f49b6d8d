// Where a node's facts become a planner's node: the one place that knows both. What the agents have not measured is taken
// from the table of chips, and says so.
import type { GpuMemoryLimit, MachineFacts } from '../../protocol/facts.ts';
import type { NodeFacts } from '../../protocol/node.ts';
import { chipOf, estimatedGpuBytes } from './chips.ts';
import type { MeasuredLayers, PlannerNode } from './inputs.ts';

/** Share of memory that weights and KV may take where the engine runs on the CPU: the rest is the system's. */
const CPU_SHARE = 0.75;

/** What a node tells of itself: who it is, and what its machine is, once it has told. */
export interface ToldFacts {
  facts: NodeFacts;
  machine?: MachineFacts | undefined;
}

/** Of all that, what a planner's node is made of. */
export interface PlannedFacts {
  facts: Pick<NodeFacts, 'id' | 'name' | 'chip' | 'memoryBytes' | 'memoryLimitBytes' | 'platform' | 'arch'>;
  machine?: { gpuMemoryLimit: Pick<GpuMemoryLimit, 'bytes' | 'source'> | null } | undefined;
}

/** @param measured times of this model's layers on such a chip, where there are any */
export function plannerNode({ facts, machine }: PlannedFacts, measured?: MeasuredLayers): PlannerNode {
  const { id, name, chip: chipText, memoryBytes, memoryLimitBytes = Number.POSITIVE_INFINITY } = facts;
  const isMac = facts.platform === 'darwin' && facts.arch === 'arm64';
  // the engine of any other machine runs on its CPU, whatever that is called (Intel has an m3)
  const chip = chipOf(isMac ? chipText : '', memoryBytes);
  const limit = isMac ? machine?.gpuMemoryLimit : undefined;
  const estimate = isMac ? estimatedGpuBytes(memoryBytes) : Math.floor(memoryBytes * CPU_SHARE);
  const usableBytes = limit?.bytes ?? estimate;
  return {
    id,
    name,
    chip: chip.name ?? chipText,
    memoryBytes,
    usableBytes: Math.min(usableBytes, memoryLimitBytes),
    // a limit that somebody set is known as well as one that Metal told
    usableSource:
      memoryLimitBytes <= usableBytes || (limit && limit.source !== 'estimate') ? 'measured' : 'estimate',
    bandwidthGBps: chip.bandwidthGBps,
    computeTflops: chip.computeTflops,
    valueBytes: isMac ? 2 : 4,
    measured,
  };
}
