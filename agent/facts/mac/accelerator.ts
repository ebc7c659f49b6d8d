// `ioreg -r -d 1 -w 0 -c IOAccelerator`: the GPU's cores and use, without root. Keys are matched with their quotes:
// some begin alike, and a legend repeats them without values.
import { lines, note, type Parsed, percentShare, wholeNumber } from '../text.ts';

const MAX_CORES = 4096;

export interface Accelerator {
  coresGpu: number | null;
  gpuUseShare: number | null;
  gpuMemoryBytes: number | null;
}

/** Of several accelerators, the busiest and the largest figures. */
export function parseAccelerator(text: string): Parsed<Accelerator> {
  const all = lines(text);
  const value: Accelerator = {
    coresGpu: largest(all, /^\s*"gpu-core-count" = (\d{1,6})$/, (text) => wholeNumber(text, MAX_CORES)),
    gpuUseShare: largest(all, /"Device Utilization %"=(\d{1,6})[,}]/, percentShare),
    gpuMemoryBytes: largest(all, /"In use system memory"=(\d{1,16})[,}]/, wholeNumber),
  };
  const isEmpty = value.coresGpu === null && value.gpuUseShare === null;
  return {
    value,
    notes: isEmpty ? [note('ioreg IOAccelerator', 'it told neither cores nor use of a GPU')] : [],
  };
}

function largest(all: string[], pattern: RegExp, read: (text: string) => number | null): number | null {
  let most: number | null = null;
  for (const line of all) {
    const number = read(pattern.exec(line)?.[1] ?? '');
    if (number !== null && (most === null || number > most)) most = number;
  }
  return most;
}
