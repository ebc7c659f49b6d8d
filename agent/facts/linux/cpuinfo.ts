// /proc/cpuinfo: the processor's name. Cores come from Node, which knows what this process may use.
import { label, lines, type Parsed } from '../text.ts';

/** `model name` on x86, `Model` or `Hardware` on ARM boards; null where none stands, as in many ARM virtual machines. */
export function parseCpuinfo(text: string): Parsed<string | null> {
  const fields = new Map<string, string>();
  for (const line of lines(text)) {
    const match = /^([A-Za-z ]{1,30}?)\s*: (.{1,200})$/.exec(line);
    if (match && !fields.has(match[1] ?? '')) fields.set(match[1] ?? '', match[2] ?? '');
  }
  return {
    value: label(fields.get('model name') ?? fields.get('Model') ?? fields.get('Hardware')),
    notes: [],
  };
}
