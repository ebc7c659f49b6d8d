// /proc/meminfo: how much memory there is, and how much of it programs could have.
import type { FactNote } from '../../../protocol/facts.ts';
import { lines, note, type Parsed, wholeNumber } from '../text.ts';

export interface Meminfo {
  memoryBytes: number | null;
  memoryAvailableBytes: number | null;
}

export function parseMeminfo(text: string): Parsed<Meminfo> {
  const fields = new Map<string, number>();
  for (const line of lines(text)) {
    const match = /^(\w{1,40}):\s+(\d{1,15}) kB$/.exec(line);
    // "kB" means 1,024 bytes here
    const bytes = match && wholeNumber(match[2], Number.MAX_SAFE_INTEGER / 1024);
    if (match && typeof bytes === 'number') fields.set(match[1] ?? '', bytes * 1024);
  }
  const value = {
    memoryBytes: fields.get('MemTotal') ?? null,
    memoryAvailableBytes: fields.get('MemAvailable') ?? null,
  };
  const notes: FactNote[] = value.memoryBytes === null ? [note('/proc/meminfo', 'it names no total')] : [];
  return { value, notes };
}
