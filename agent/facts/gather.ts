// Gathers what this machine is: from macOS's commands, or from Linux's files. It keeps the last answers, so that what
// hardly ever changes need not be asked for each time.
import { networkInterfaces } from 'node:os';
import type { MachineFacts } from '../../protocol/facts.ts';
import { factsOfLinux } from './linux/assemble.ts';
import { readLinuxFiles } from './linux/files.ts';
import { factsOfMac, type MacAnswers, thunderboltServices } from './mac/assemble.ts';
import {
  MAC_COMMANDS,
  MAC_SEARCH_PATH,
  type MacCommand,
  type MacCommandName,
  serviceInfoCommand,
} from './mac/commands.ts';
import { nodeAddresses } from './node-addresses.ts';
import { runCommand } from './run-command.ts';
import type { Depth } from './schedule.ts';

/** Commands at once: the machine has better things to do. */
const CONCURRENCY = 4;
/** Each depth asks for what the ones before it do, too. */
const DEPTHS: readonly Depth[] = ['load', 'links', 'all'];

export interface GatherOptions {
  /** as process.platform */
  platform?: string;
  /** where macOS's commands are, as in PATH */
  searchPath?: string;
  /** where Linux's files are: `/` */
  root?: string;
  /** what MLX told of the GPU's limit, in bytes; null as long as no stage has run */
  measuredGpuLimitBytes?: () => number | null;
  /** ends what is under way */
  signal?: AbortSignal;
}

export class FactsGatherer {
  readonly #options: GatherOptions;
  readonly #answers: MacAnswers = { commands: {}, serviceInfo: {} };

  constructor(options: GatherOptions = {}) {
    this.#options = options;
  }

  /** Never throws: what cannot be had is null, and a note says why. */
  async gather(depth: Depth): Promise<MachineFacts> {
    const { platform = process.platform, root = '/', measuredGpuLimitBytes } = this.#options;
    if (platform !== 'darwin') {
      return factsOfLinux(await readLinuxFiles(root), nodeAddresses(networkInterfaces()));
    }
    await this.#askMac(depth);
    return factsOfMac(this.#answers, measuredGpuLimitBytes?.() ?? null);
  }

  async #askMac(depth: Depth): Promise<void> {
    const { commands } = this.#answers;
    const due = (Object.keys(MAC_COMMANDS) as MacCommandName[]).filter((name) => {
      if (depth === 'all') return true;
      const command: MacCommand = MAC_COMMANDS[name];
      const isDue = DEPTHS.indexOf(command.depth) <= DEPTHS.indexOf(depth);
      // what is not there, and what others have installed and does not work, is tried again only when all is asked
      const last = commands[name];
      return isDue && !last?.isAbsent && !(command.optional && last?.problem !== undefined);
    });
    await inTurn(due, async (name) => {
      commands[name] = await this.#run(MAC_COMMANDS[name]);
    });
    if (depth !== 'all') return;
    this.#answers.serviceInfo = {};
    await inTurn(thunderboltServices(this.#answers), async (service) => {
      this.#answers.serviceInfo[service] = await this.#run(serviceInfoCommand(service));
    });
  }

  #run(command: MacCommand) {
    const { searchPath = MAC_SEARCH_PATH, signal } = this.#options;
    return runCommand(command, searchPath, signal);
  }
}

/** Everything once. */
export function gatherFacts(options: GatherOptions = {}): Promise<MachineFacts> {
  return new FactsGatherer(options).gather('all');
}

async function inTurn<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
  const waiting = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of waiting) await task(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}
