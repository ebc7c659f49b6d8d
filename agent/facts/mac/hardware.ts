// `system_profiler SPHardwareDataType`: model, chip, cores and memory, as JSON or as text. Serial numbers and other
// identifiers of the machine are never read.
import type { FactNote } from '../../../protocol/facts.ts';
import { isRecord, readJson } from '../partial-json.ts';
import { label, memorySize, note, type Parsed, wholeNumber } from '../text.ts';
import { type ProfilerBlock, profilerBlocks } from './profiler-text.ts';

const SOURCE = 'SPHardwareDataType';

export interface Hardware {
  modelIdentifier: string | null;
  modelName: string | null;
  chip: string | null;
  coresPerformance: number | null;
  coresEfficiency: number | null;
  memoryBytes: number | null;
}

export function parseHardware(text: string): Parsed<Hardware> {
  const notes: FactNote[] = [];
  const value = text.trimStart().startsWith('{') ? fromJson(text, notes) : fromText(text, notes);
  if (value.modelIdentifier === null) notes.push(note(SOURCE, 'it names no model'));
  return { value, notes };
}

function fromJson(text: string, notes: FactNote[]): Hardware {
  const { value: root, isWhole } = readJson(text);
  if (!isWhole) notes.push(note(SOURCE, 'the JSON is cut off or damaged: what stands before counts'));
  const list = isRecord(root) ? root[SOURCE] : undefined;
  const entry = Array.isArray(list) && isRecord(list[0]) ? list[0] : {};
  return {
    modelIdentifier: label(entry.machine_model),
    modelName: label(entry.machine_name),
    chip: label(entry.chip_type) ?? label(entry.cpu_type),
    ...coresOfCode(entry.number_processors, notes),
    memoryBytes: memorySize(entry.physical_memory),
  };
}

function fromText(text: string, notes: FactNote[]): Hardware {
  const fields = overview(profilerBlocks(text))?.fields ?? {};
  return {
    modelIdentifier: label(fields['Model Identifier']),
    modelName: label(fields['Model Name']),
    chip: label(fields.Chip) ?? label(fields['Processor Name']),
    ...coresOfText(fields['Total Number of Cores'], notes),
    memoryBytes: memorySize(fields.Memory),
  };
}

function overview(blocks: ProfilerBlock[]): ProfilerBlock | undefined {
  return blocks
    .flatMap((block) => [block, ...block.blocks])
    .find((block) => 'Model Identifier' in block.fields);
}

interface Cores {
  coresPerformance: number | null;
  coresEfficiency: number | null;
}

const UNKNOWN: Cores = { coresPerformance: null, coresEfficiency: null };
const MAX_CORES = 4096;

/** `proc 32:24:8`: all, performance, efficiency. An M5 prints a fourth number; a virtual machine one, not as text. */
function coresOfCode(code: unknown, notes: FactNote[]): Cores {
  if (code === undefined) return UNKNOWN;
  const numbers = /^proc (\d+(?::\d+){2,9})$/.exec(typeof code === 'string' ? code.slice(0, 100) : '')?.[1];
  if (numbers === undefined) {
    if (typeof code !== 'number')
      notes.push(note(SOURCE, `cores in an unknown form: ${String(label(code))}`));
    return UNKNOWN;
  }
  const [total, performance, efficiency, ...others] = numbers
    .split(':')
    .map((part) => wholeNumber(part, MAX_CORES));
  const other = others.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  if (other > 0) notes.push(note(SOURCE, `${other} cores are of a kind that is not known here (${numbers})`));
  if ((performance ?? 0) + (efficiency ?? 0) + other !== total) {
    notes.push(note(SOURCE, `the kinds of cores do not add up: ${numbers}`));
  }
  return { coresPerformance: performance ?? null, coresEfficiency: efficiency ?? null };
}

/** `20 (16 performance and 4 efficiency)`; newer chips may say "super" where older ones say "performance". */
function coresOfText(text: string | undefined, notes: FactNote[]): Cores {
  if (text === undefined) return UNKNOWN;
  const cores: Cores = { ...UNKNOWN };
  for (const [, count, kind] of text.slice(0, 200).matchAll(/(\d{1,4}) ([a-z]+)/gi)) {
    if (/^(?:performance|super)$/i.test(kind ?? '')) {
      cores.coresPerformance = (cores.coresPerformance ?? 0) + Number(count);
    } else if (/^efficiency$/i.test(kind ?? '')) {
      cores.coresEfficiency = Number(count);
    } else {
      notes.push(note(SOURCE, `cores of a kind that is not known here: ${text}`));
    }
  }
  return cores;
}
