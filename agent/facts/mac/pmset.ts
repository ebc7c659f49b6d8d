// `pmset -g`, `-g custom` and `-g ps`: where the power comes from, and when the machine sleeps.
import type { PowerFacts } from '../../../protocol/facts.ts';
import { lines, note, type Parsed, wholeNumber } from '../text.ts';

const SOURCE = 'pmset -g';
const MAX_MINUTES = 1_000_000;

export type PowerSettings = Omit<PowerFacts, 'source'>;

/** The section that counts: what is in use now, else what holds on AC power, which a node should be on. */
const SECTIONS = ['Currently in use', 'AC Power'];

/** Both of the first two: they differ only in their sections. Null when there is none that counts. */
export function parsePowerSettings(text: string): Parsed<PowerSettings | null> {
  const sections = readSections(text);
  const section = SECTIONS.map((title) => sections.get(title)).find((found) => found !== undefined);
  if (section === undefined) return { value: null, notes: [note(SOURCE, 'it told no settings')] };
  const number = (key: string) => wholeNumber(section.get(key), MAX_MINUTES);
  const flag = (key: string) => {
    const value = number(key);
    return value === null ? null : value !== 0;
  };
  // set by `pmset disablesleep`, for all sources alike
  const isSleepDisabled = sections.get('System-wide power settings')?.get('SleepDisabled') === '1';
  return {
    value: {
      sleepMinutes: isSleepDisabled ? 0 : number('sleep'),
      diskSleepMinutes: number('disksleep'),
      wakeOnNetwork: flag('womp'),
      restartAfterPowerLoss: flag('autorestart'),
      powerMode: number('powermode'),
    },
    notes: [],
  };
}

/** By title. ` sleep                10 (sleep prevented by caffeinate)`: what stands in brackets holds only for now. */
export function readSections(text: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let current: Map<string, string> | undefined;
  for (const line of lines(text)) {
    const title = /^(\S.{0,60}):$/.exec(line)?.[1];
    if (title !== undefined && sections.size < 16) {
      current = new Map();
      sections.set(title, current);
    }
    const setting = /^\s+(\S.{0,60}?)\s+(\S{1,100})(?: \(.{0,1000}\))?$/.exec(line);
    if (setting && current) current.set(setting[1] ?? '', setting[2] ?? '');
  }
  return sections;
}

/** `Now drawing from 'AC Power'` */
export function parsePowerSource(text: string): Parsed<PowerFacts['source']> {
  const name = /Now drawing from '([^']{1,40})'/.exec(text.slice(0, 10_000))?.[1];
  if (name === 'AC Power') return { value: 'ac', notes: [] };
  if (name === 'Battery Power') return { value: 'battery', notes: [] };
  if (name === 'UPS Power') return { value: 'ups', notes: [] };
  return {
    value: null,
    notes: [note('pmset -g ps', `it names no known source of power: ${name ?? 'none'}`)],
  };
}
