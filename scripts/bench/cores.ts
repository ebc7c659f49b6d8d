// Which cores a bench puts its processes on, and how they get there. Where a process cannot be bound to a core (only
// Linux can), nothing is pinned, and every figure says so.
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';

const TASKSET_TIMEOUT_MS = 5_000;

/** The cores that some processes share. */
export interface CoreSet {
  /** empty where nothing can be pinned */
  readonly ids: readonly number[];
  /** how the processes are placed, for a figure's `compared` */
  readonly text: string;
}

/** Disposing of it lets this process run everywhere again. */
export interface Cores extends AsyncDisposable {
  readonly one: CoreSet;
  /** only one where there is no second */
  readonly two: CoreSet;
}

/** Chooses two of the cores that this process may use, of different physical cores where Linux says which those are. */
export async function takeCores(): Promise<Cores> {
  const allowed = await allowedCores();
  const distinct = distinctCores(allowed.ids, await Promise.all(allowed.ids.map(siblingsOf)));
  return { ...choice(allowed, distinct), [Symbol.asyncDispose]: () => pin(process.pid, allowed) };
}

/** The cores that this process may use. */
async function allowedCores(): Promise<CoreSet> {
  const reason = await whyNot();
  if (reason !== undefined) return { ids: [], text: `processes not pinned: ${reason}` };
  const status = await readFile('/proc/self/status', 'utf8');
  const ids = parseCoreList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '');
  return { ids, text: 'processes not pinned' };
}

function choice(allowed: CoreSet, [first, second]: readonly number[]): Pick<Cores, 'one' | 'two'> {
  if (first === undefined) return { one: allowed, two: allowed };
  const text = `every process pinned to core ${first}`;
  const one = { ids: [first], text };
  if (second === undefined)
    return { one, two: { ids: [first], text: `${text}, the only one that this bench may use` } };
  const both = `stages pinned to cores ${first} and ${second} in turn, all else to both`;
  return { one, two: { ids: [first, second], text: both } };
}

/**
 * Binds a process, with all its threads and what it starts from now on.
 * @param ids nothing happens when there is none
 * @throws ExecaError when the process is gone
 */
export async function pin(pid: number, { ids }: CoreSet): Promise<void> {
  if (ids.length === 0) return;
  await execa('taskset', ['-a', '-p', '-c', ids.join(), String(pid)], { timeout: TASKSET_TIMEOUT_MS });
}

/** A program and its arguments, as a command that starts pinned. */
export function pinnedCommand({ ids }: CoreSet, file: string, args: readonly string[]): [string, string[]] {
  return ids.length === 0 ? [file, [...args]] : ['taskset', ['-c', ids.join(), file, ...args]];
}

/** The cores of a list as Linux writes it: `0-2,5` is 0, 1, 2 and 5. */
export function parseCoreList(list: string): number[] {
  return list
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
}

/**
 * One core of each physical core.
 * @param siblings for each of `cores`: which ones share its physical core, itself included
 */
export function distinctCores(cores: readonly number[], siblings: readonly (readonly number[])[]): number[] {
  const taken = new Set<number>();
  return cores.filter((core, i) => {
    if (taken.has(core)) return false;
    for (const sibling of siblings[i] ?? []) taken.add(sibling);
    return true;
  });
}

async function siblingsOf(core: number): Promise<number[]> {
  const file = `/sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`;
  return parseCoreList(await readFile(file, 'utf8').catch(() => ''));
}

/** Why processes cannot be pinned here. */
async function whyNot(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'only Linux can';
  const { failed } = await execa('taskset', ['-p', String(process.pid)], {
    reject: false,
    timeout: TASKSET_TIMEOUT_MS,
  });
  return failed ? 'taskset (of util-linux) is missing' : undefined;
}
