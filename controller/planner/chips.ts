// What a Mac's chip can do, as an estimate until a node is measured: memory bandwidth, GPU, Thunderbolt. Facts only; a
// chip that is not in the table is judged by what its node says.

export interface Chip {
  /** as the operating system says it after `Apple ` */
  name: string;
  /** memory bandwidth as Apple states it, GB/s; the smaller GPU's where there are two */
  bandwidthGBps: number;
  /** of the variant with the larger GPU, and the memory from which a Mac must have it */
  larger?: { bandwidthGBps: number; computeTflops: number; fromMemoryGB: number };
  /** GPU cores × 128 lanes × 2 operations × clock, 10^12 a second */
  computeTflops: number;
  /** memory that Macs with it are sold with, GB as Apple counts (1024³) */
  memoryGB: readonly number[];
  thunderbolt: 4 | 5;
  /** of the Mac that has most of them */
  thunderboltPorts: number;
}

/**
 * Sources: bandwidth and memory of Apple's technical specifications (support.apple.com/specs); checked against published
 * reports for M2 Ultra 800 (antirez/ds4 706), M3 Ultra 819, M4 Max 410 and 546, M4 Pro 273, M5 Max 614 GB/s. GPU figures
 * follow from core counts and reported clocks. Thunderbolt 3 counts as 4: the same 40 Gbit/s. All are estimates.
 */
export const CHIPS: readonly Chip[] = [
  chip('M1', 68, 2.6, [8, 16], 4, 2),
  chip('M1 Pro', 200, 5.2, [16, 32], 4, 3),
  chip('M1 Max', 400, 10.4, [32, 64], 4, 4),
  chip('M1 Ultra', 800, 21, [64, 128], 4, 6),
  chip('M2', 100, 3.6, [8, 16, 24], 4, 2),
  chip('M2 Pro', 200, 6.8, [16, 32], 4, 3),
  chip('M2 Max', 400, 13.6, [32, 64, 96], 4, 4),
  chip('M2 Ultra', 800, 27.2, [64, 128, 192], 4, 6),
  chip('M3', 100, 3.5, [8, 16, 24], 4, 2),
  chip('M3 Pro', 150, 6.4, [18, 36], 4, 3),
  {
    ...chip('M3 Max', 300, 10.6, [36, 48, 64, 96, 128], 4, 4),
    larger: { bandwidthGBps: 400, computeTflops: 14.1, fromMemoryGB: 48 },
  },
  chip('M3 Ultra', 819, 28.2, [96, 256, 512], 5, 6),
  chip('M4', 120, 4.6, [16, 24, 32], 4, 3),
  chip('M4 Pro', 273, 9.2, [24, 48, 64], 5, 3),
  {
    ...chip('M4 Max', 410, 14.7, [36, 48, 64, 128], 5, 4),
    larger: { bandwidthGBps: 546, computeTflops: 18.4, fromMemoryGB: 48 },
  },
  chip('M5', 153, 5, [16, 24, 32], 4, 3),
  chip('M5 Pro', 307, 10, [24, 48, 64], 5, 3),
  {
    ...chip('M5 Max', 460, 16, [36, 48, 64, 128], 5, 4),
    larger: { bandwidthGBps: 614, computeTflops: 20, fromMemoryGB: 48 },
  },
];

/** An Apple chip newer than the table: no slower than the smallest of the last generation in it. */
const UNKNOWN_APPLE = chip('unknown Apple chip', 150, 5, [16], 4, 2);
/**
 * Any other machine, where the engine runs on the CPU: two channels of memory, a few cores. Two cores of an AMD EPYC were
 * measured to prefill the demo model with 11 (512 tokens) to 22 GFLOP/s (4,096, mostly attention): 0.05 TFLOPS times the
 * share that prefill reaches.
 */
const UNKNOWN_CPU = chip('unknown processor', 40, 0.05, [16], 4, 0);

/**
 * Share of memory that the GPU may use where nobody has measured it, smaller on Macs of up to 36 GB. A folk rule; recorded
 * limits of macOS are 75 % to 81 % at 64 GB and 90.6 % at 512 GB, so this is on the careful side.
 */
const GPU_SHARE = { small: 0.66, large: 0.75 };
const SMALL_MEMORY_BYTES = 36 * 2 ** 30;

export interface ChipEstimate {
  /** as in the table; undefined for a chip that is not there */
  name: string | undefined;
  bandwidthGBps: number;
  computeTflops: number;
}

/**
 * What is known of a chip by its name.
 * @param text as the operating system or a person says it: `Apple M2 Ultra`, `m2 ultra`
 */
export function chipOf(text: string, memoryBytes: number): ChipEstimate {
  const words = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim();
  const name = /(?:^| )(m\d+(?: (?:pro|max|ultra))?)(?: |$)/.exec(words)?.[1];
  const known = CHIPS.find((each) => each.name.toLowerCase() === name);
  if (!known) {
    const isApple = words.startsWith('apple') || name !== undefined;
    const { bandwidthGBps, computeTflops } = isApple ? UNKNOWN_APPLE : UNKNOWN_CPU;
    return { name: undefined, bandwidthGBps, computeTflops };
  }
  const { larger } = known;
  const isLarger = larger !== undefined && memoryBytes >= larger.fromMemoryGB * 2 ** 30;
  const { bandwidthGBps, computeTflops } = isLarger ? larger : known;
  return { name: known.name, bandwidthGBps, computeTflops };
}

/** Bytes that the GPU of a Mac may use, estimated from its memory. */
export function estimatedGpuBytes(memoryBytes: number): number {
  const share = memoryBytes <= SMALL_MEMORY_BYTES ? GPU_SHARE.small : GPU_SHARE.large;
  return Math.floor(memoryBytes * share);
}

function chip(
  name: string,
  bandwidthGBps: number,
  computeTflops: number,
  memoryGB: readonly number[],
  thunderbolt: 4 | 5,
  thunderboltPorts: number,
): Chip {
  return { name, bandwidthGBps, computeTflops, memoryGB, thunderbolt, thunderboltPorts };
}
