// The options that several commands share, and the checks of their values. A wrong value is a usage error that names
// the option and what it takes.
import { InvalidArgumentError, Option } from 'commander';
import { Sampling } from '../../protocol/generate.ts';
import { MAX_INCIDENTS, MAX_REQUESTS, MAX_TRACE_STEPS } from '../../protocol/limits.ts';
import { ClusterName, DEFAULT_CLUSTER } from '../../protocol/node.ts';
import { EngineChoice, Goal } from '../../protocol/plan.ts';
import { Split } from '../../protocol/ranks.ts';

export const DEFAULT_CONTROLLER_URL = 'http://127.0.0.1:7117';

/** `--controller URL`, also from ESPALIER_CONTROLLER. */
export function controllerOption(): Option {
  return new Option('-c, --controller <url>', 'the controller to ask')
    .env('ESPALIER_CONTROLLER')
    .default(DEFAULT_CONTROLLER_URL);
}

/** `--cluster NAME`, the same for an agent and for its controller. */
export function clusterOption(): Option {
  return new Option('--cluster <name>', 'the cluster: agents and controllers of another one are left alone')
    .default(DEFAULT_CLUSTER)
    .argParser((text: string) => {
      if (!ClusterName.safeParse(text).success) {
        throw new InvalidArgumentError('It takes 1 to 63 letters, digits, dots, dashes and underscores.');
      }
      return text;
    });
}

/** `--goal GOAL` of plans. */
export function goalOption(): Option {
  return new Option('-g, --goal <goal>', 'throughput: many streams; latency: one stream').choices(
    Goal.options,
  );
}

/** `--engine ENGINE` of plans. */
export function engineOption(): Option {
  return new Option('-e, --engine <engine>', 'auto takes what is predicted to be faster').choices(
    EngineChoice.options,
  );
}

/** `--split SPLIT` of MLX Distributed. */
export function splitOption(): Option {
  return new Option(
    '--split <split>',
    'of mlx-distributed: layers for each node, or a part of every layer (default: the faster one)',
  ).choices(Split.options);
}

/** A TCP port; 0 lets the system choose a free one. */
export function parsePort(text: string): number {
  return parseInteger(text, 0, 65_535, 'a port: a whole number from 0 to 65535');
}

export function parseNodeCount(text: string): number {
  return parseInteger(text, 1, 64, 'a number of nodes from 1 to 64');
}

export function parseTokenCount(text: string): number {
  return parseInteger(text, 1, 1_000_000, 'a number of tokens from 1 on');
}

export function parseStepCount(text: string): number {
  return parseInteger(text, 1, MAX_TRACE_STEPS, `a number of steps from 1 to ${MAX_TRACE_STEPS}`);
}

export function parseIncidentCount(text: string): number {
  return parseInteger(text, 1, MAX_INCIDENTS, `a number of incidents from 1 to ${MAX_INCIDENTS}`);
}

export function parseRounds(text: string): number {
  return parseInteger(text, 1, 1_000, 'a number of rounds from 1 to 1000');
}

export function parseLineCount(text: string): number {
  return parseInteger(text, 1, 100_000, 'a number of lines from 1 to 100000');
}

const MEMORY_UNITS = { mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 } as const;

/** `64GB` or `0.5 TB`, in the units in which memory is sold: 1 GB is 2^30 bytes. */
export function parseMemorySize(text: string): number {
  const match = /^([\d.]+)\s*(mb|gb|tb)$/i.exec(text.trim());
  const unit = MEMORY_UNITS[match?.[2]?.toLowerCase() as keyof typeof MEMORY_UNITS];
  const bytes = Math.floor(Number(match?.[1]) * unit);
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError('It takes a size of memory, like 64GB.');
}

export function parseStreamCount(text: string): number {
  return parseInteger(text, 1, MAX_REQUESTS, `a number of conversations from 1 to ${MAX_REQUESTS}`);
}

/** `20,21,20`. */
export function parseLayerCounts(text: string): number[] {
  return text
    .split(',')
    .map((count) => parseInteger(count.trim(), 1, 1_000, 'layers of each stage, like 20,21,20'));
}

/** `studio-1,studio-2`. */
export function parseNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes(''))
    throw new InvalidArgumentError('It takes names with commas between, like studio-1,studio-2.');
  return names;
}

/** Seconds with decimals, as milliseconds. */
export function parseIntervalMs(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 3600)) {
    throw new InvalidArgumentError('It takes seconds, from 0.1 to 3600.');
  }
  return Math.round(seconds * 1000);
}

/** A share, like 0.7. */
export function parseShare(text: string): number {
  const share = Number(text);
  if (text.trim() === '' || !(share >= 0 && share < 1)) {
    throw new InvalidArgumentError('It takes a share from 0 to less than 1, like 0.7.');
  }
  return share;
}

export function parseTemperature(text: string): number {
  const temperature = Number(text);
  if (text.trim() === '' || !(temperature >= 0 && temperature <= 2)) {
    throw new InvalidArgumentError('It takes a number from 0 (always the likeliest token) to 2.');
  }
  return temperature;
}

/** What may be pinned, by the names that clients use. */
const PINS = {
  temperature: 'temperature',
  top_p: 'topP',
  top_k: 'topK',
  min_p: 'minP',
  repetition_penalty: 'repetitionPenalty',
  presence_penalty: 'presencePenalty',
  frequency_penalty: 'frequencyPenalty',
} as const;

/** `temperature=0.6`. */
export function parsePin(text: string): Partial<Sampling> {
  const [name = '', number = ''] = text.split('=');
  if (!Object.hasOwn(PINS, name)) {
    throw new InvalidArgumentError(`It takes FIELD=NUMBER; the fields are ${Object.keys(PINS).join(', ')}.`);
  }
  const field = PINS[name as keyof typeof PINS];
  const read = Sampling.shape[field].safeParse(number.trim() === '' ? undefined : Number(number));
  if (read.success && read.data !== undefined) return { [field]: read.data };
  throw new InvalidArgumentError(
    `${name} takes a number: ${read.error?.issues[0]?.message ?? 'there is none'}.`,
  );
}

function parseInteger(text: string, min: number, max: number, what: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It takes ${what}.`);
  return value;
}
