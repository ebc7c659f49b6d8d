// Memory in use: `memory_pressure -Q` and `vm_stat`.
import { lines, note, type Parsed, percentShare, wholeNumber } from '../text.ts';

/** macOS's own share of free memory. */
export function parseMemoryPressure(text: string): Parsed<number | null> {
  const value = percentShare(
    /^System-wide memory free percentage: (\d{1,3})%/m.exec(text.slice(0, 100_000))?.[1],
  );
  return { value, notes: value === null ? [note('memory_pressure', 'it told no share of free memory')] : [] };
}

/** What counts as available: free pages, those of files, and those that programs have marked as expendable. */
const AVAILABLE = ['Pages free', 'File-backed pages', 'Pages purgeable'];

/** @returns bytes; Activity Monitor's "memory used" is what the machine has less these */
export function parseVmStat(text: string): Parsed<number | null> {
  const pages = new Map<string, number>();
  const all = lines(text);
  const pageBytes = wholeNumber(/\(page size of (\d{1,7}) bytes\)/.exec(all[0] ?? '')?.[1]);
  for (const line of all) {
    const match = /^"?([A-Za-z][^":]{0,60})"?:\s{1,60}(\d{1,16})\.$/.exec(line);
    const count = wholeNumber(match?.[2]);
    if (match && count !== null) pages.set(match[1] ?? '', count);
  }
  const missing = AVAILABLE.filter((name) => !pages.has(name));
  if (pageBytes === null) missing.push('the page size');
  const bytes = AVAILABLE.reduce((sum, name) => sum + (pages.get(name) ?? 0), 0) * (pageBytes ?? 0);
  if (missing.length === 0 && Number.isSafeInteger(bytes)) return { value: bytes, notes: [] };
  return { value: null, notes: [note('vm_stat', `it lacks ${missing.join(', ') || 'numbers that can be'}`)] };
}
