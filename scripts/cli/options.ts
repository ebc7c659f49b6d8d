// The options that several commands share, and the checks of their values. A wrong value is a usage error that names
// the option and what it takes.
import { InvalidArgumentError, Option } from 'commander';
import { MAX_TRACE_STEPS } from '../../protocol/limits.ts';
import { ClusterName, DEFAULT_CLUSTER } from '../../protocol/node.ts';

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

/** Seconds with decimals, as milliseconds. */
export function parseIntervalMs(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 3600)) {
    throw new InvalidArgumentError('It takes seconds, from 0.1 to 3600.');
  }
  return Math.round(seconds * 1000);
}

export function parseTemperature(text: string): number {
  const temperature = Number(text);
  if (text.trim() === '' || !(temperature >= 0 && temperature <= 2)) {
    throw new InvalidArgumentError('It takes a number from 0 (always the likeliest token) to 2.');
  }
  return temperature;
}

function parseInteger(text: string, min: number, max: number, what: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It takes ${what}.`);
  return value;
}
