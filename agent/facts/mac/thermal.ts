// How hot it is: `notifyutil -g com.apple.system.thermalpressurelevel` and `pmset -g therm`, neither of which needs root.
import type { ThermalFacts } from '../../../protocol/facts.ts';
import { lines, note, type Parsed, percentShare, wholeNumber } from '../text.ts';

/** The kernel's numbers, in order. */
const LEVELS = ['nominal', 'moderate', 'heavy', 'trapping', 'sleeping'] as const;

export function parseThermalLevel(text: string): Parsed<ThermalFacts['level']> {
  const number = wholeNumber(/thermalpressurelevel (\d{1,6})/.exec(text.slice(0, 1_000))?.[1]);
  const level = number === null ? undefined : LEVELS[number];
  if (level !== undefined) return { value: level, notes: [] };
  return { value: null, notes: [note('notifyutil', `it tells no known thermal level: ${number ?? 'none'}`)] };
}

/** Apple silicon prints nothing but "no warning was recorded" until there was one: that is no gap. */
export function parseThermalLimits(text: string): Parsed<ThermalFacts['cpuSpeedShare']> {
  const all = lines(text);
  const speed = all
    .map((line) => /^\s*CPU_Speed_Limit\s*=\s*(\d{1,3})$/.exec(line)?.[1])
    .find((found) => found);
  const warning = all
    .map((line) => /Thermal Warning Level = (\d{1,9})$/.exec(line)?.[1])
    .find((found) => found);
  return {
    value: percentShare(speed),
    notes: warning ? [note('pmset -g therm', `a thermal warning was recorded: level ${warning}`)] : [],
  };
}
