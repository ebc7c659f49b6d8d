// `macmon pipe`: what the machine draws, where somebody has installed macmon (macOS itself tells it to root alone).
import { isRecord, readJson } from '../partial-json.ts';
import { lines, note, type Parsed } from '../text.ts';

const MAX_WATTS = 100_000;

/** One JSON object a line; the last whole one counts. `sys_power` has kept its name from version 0.5 to 0.8. */
export function parseMacmon(text: string): Parsed<number | null> {
  for (const line of lines(text)
    .filter((line) => line.startsWith('{'))
    .slice(-4)
    .reverse()) {
    const { value, isWhole } = readJson(line);
    const watts = isRecord(value) && isWhole ? value.sys_power : undefined;
    if (typeof watts === 'number' && watts >= 0 && watts <= MAX_WATTS) return { value: watts, notes: [] };
  }
  return { value: null, notes: [note('macmon', 'it told no power of the whole machine')] };
}
