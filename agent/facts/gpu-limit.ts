// How much memory the GPU may keep resident: measured where a stage has seen it, else as it was set, else a guess that
// says that it is one.
import type { FactNote, GpuMemoryLimit } from '../../protocol/facts.ts';
import { note, type Parsed } from './text.ts';

const GIB = 1024 ** 3;
/**
 * The rule of thumb that people give for macOS's default: two thirds up to 36 GB, three quarters above. It is no
 * constant: Metal was seen to allow 75 % of 64 GB, 78 % of 48 GB, 81 % of 64 GB on a later macOS and 91 % of 512 GB.
 */
const SMALL_MEMORY_BYTES = 36 * GIB;
const SMALL_SHARE = 0.66;
const LARGE_SHARE = 0.75;

export interface GpuLimitInputs {
  memoryBytes: number | null;
  /** Metal's `recommendedMaxWorkingSetSize`, as MLX tells it to a stage worker; null until one has */
  measuredBytes: number | null;
  /** `iogpu.wired_limit_mb` in bytes; 0 or null: the system's default */
  sysctlBytes: number | null;
}

/** @returns null when not even the memory is known */
export function gpuMemoryLimit({
  memoryBytes,
  measuredBytes,
  sysctlBytes,
}: GpuLimitInputs): Parsed<GpuMemoryLimit | null> {
  const notes: FactNote[] = [];
  if (measuredBytes !== null && measuredBytes > 0) {
    return { value: { bytes: measuredBytes, source: 'measured', note: 'what Metal recommends here' }, notes };
  }
  if (sysctlBytes !== null && sysctlBytes > 0) {
    if (memoryBytes === null || sysctlBytes <= memoryBytes) {
      const text = 'iogpu.wired_limit_mb is set; macOS itself forgets it at a restart';
      return { value: { bytes: sysctlBytes, source: 'sysctl', note: text }, notes };
    }
    notes.push(note('sysctl', "the GPU's wired limit is set to more than the memory: it is not believed"));
  }
  if (memoryBytes === null) return { value: null, notes };
  const share = memoryBytes <= SMALL_MEMORY_BYTES ? SMALL_SHARE : LARGE_SHARE;
  const text = `an estimate: ${Math.round(share * 100)}% of the memory; macOS decides, and newer versions allow more`;
  return { value: { bytes: Math.floor(memoryBytes * share), source: 'estimate', note: text }, notes };
}
