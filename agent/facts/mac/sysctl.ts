// `sysctl`: chip, cores, memory, the GPU's wired limit and memory pressure. Keys that are not there are no error: each
// macOS has others.
import type { FactNote, MachineLoad } from '../../../protocol/facts.ts';
import { label, lines, note, type Parsed, percentShare, wholeNumber } from '../text.ts';

const SOURCE = 'sysctl';
const MAX_CORES = 4096;
const MIB = 1024 * 1024;

export interface Sysctl {
  modelIdentifier: string | null;
  chip: string | null;
  memoryBytes: number | null;
  coresPerformance: number | null;
  coresEfficiency: number | null;
  /** 0: the system's default; null: no such key */
  gpuWiredLimitBytes: number | null;
  osVersion: string | null;
  osBuild: string | null;
  memoryPressure: MachineLoad['memoryPressure'];
  memoryFreeShare: number | null;
}

/** What to ask for, with `sysctl -i`, which leaves unknown keys out. */
export const SYSCTL_KEYS = [
  'hw.model',
  'hw.memsize',
  'hw.perflevel0.name',
  'hw.perflevel0.physicalcpu',
  'hw.perflevel1.name',
  'hw.perflevel1.physicalcpu',
  'hw.perflevel2.name',
  'hw.perflevel2.physicalcpu',
  'machdep.cpu.brand_string',
  'iogpu.wired_limit_mb',
  'debug.iogpu.wired_limit',
  'kern.osproductversion',
  'kern.osversion',
  'kern.memorystatus_vm_pressure_level',
  'kern.memorystatus_level',
] as const;

/** The kernel's levels of memory pressure. */
const PRESSURE: Record<string, MachineLoad['memoryPressure']> = { 1: 'normal', 2: 'warning', 4: 'critical' };

export function parseSysctl(text: string): Parsed<Sysctl> {
  const notes: FactNote[] = [];
  const values = readValues(text);
  if (values.size === 0) notes.push(note(SOURCE, 'it told none of what was asked'));
  const number = (key: string, max?: number): number | null => {
    const printed = values.get(key);
    const value = wholeNumber(printed, max);
    if (printed !== undefined && value === null) notes.push(note(SOURCE, `${key} is no number: ${printed}`));
    return value;
  };
  const wiredMib = number('iogpu.wired_limit_mb', Number.MAX_SAFE_INTEGER / MIB);
  const pressure = values.get('kern.memorystatus_vm_pressure_level');
  return {
    value: {
      modelIdentifier: label(values.get('hw.model')),
      chip: label(values.get('machdep.cpu.brand_string')),
      memoryBytes: number('hw.memsize'),
      ...cores(values),
      // macOS 13 has the limit under another name, in bytes
      gpuWiredLimitBytes: wiredMib === null ? number('debug.iogpu.wired_limit') : wiredMib * MIB,
      osVersion: label(values.get('kern.osproductversion')),
      osBuild: label(values.get('kern.osversion')),
      memoryPressure: PRESSURE[pressure ?? ''] ?? null,
      memoryFreeShare: percentShare(values.get('kern.memorystatus_level')),
    },
    notes,
  };
}

/** `key: value`, or `key: old -> new` where somebody has just set it. */
function readValues(text: string): Map<string, string> {
  const asked = new Set<string>(SYSCTL_KEYS);
  const values = new Map<string, string>();
  for (const line of lines(text)) {
    const match = /^([\w.]{1,100})(?::| =)\s?(.{1,300})$/.exec(line);
    if (match && asked.has(match[1] ?? ''))
      values.set(match[1] ?? '', (match[2] ?? '').replace(/^.* -> /, '').trim());
  }
  return values;
}

/** Level 0 is the fastest kind. Without a name, level 1 is the efficient one, as on every chip from M1 to M4. */
function cores(values: Map<string, string>): Pick<Sysctl, 'coresPerformance' | 'coresEfficiency'> {
  const sums = { performance: null as number | null, efficiency: null as number | null };
  for (const level of [0, 1, 2]) {
    const count = wholeNumber(values.get(`hw.perflevel${level}.physicalcpu`), MAX_CORES);
    if (count === null) continue;
    const name = values.get(`hw.perflevel${level}.name`);
    const isEfficient = name === undefined ? level > 0 : /^efficiency$/i.test(name);
    const kind = isEfficient ? 'efficiency' : 'performance';
    sums[kind] = (sums[kind] ?? 0) + count;
  }
  return { coresPerformance: sums.performance, coresEfficiency: sums.efficiency };
}
