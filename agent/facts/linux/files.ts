// Which files of /proc and /sys the facts of a Linux machine come from, and reading them. A file that is not there is
// left out: each machine has others. It knows nothing of what they say.
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_INTERFACES } from '../../../protocol/limits.ts';

/** /proc/cpuinfo of 256 threads is 400 KB; everything else is small. */
const MAX_FILE_BYTES = 1_048_576;
const CHUNK_BYTES = 16_384;

const FILES = {
  cpuinfo: 'proc/cpuinfo',
  meminfo: 'proc/meminfo',
  osRelease: 'etc/os-release',
  kernel: 'proc/sys/kernel/osrelease',
  productName: 'sys/class/dmi/id/product_name',
  deviceModel: 'proc/device-tree/model',
  routes: 'proc/net/route',
} as const;

const INTERFACE_FILES = [
  'mtu',
  'flags',
  'operstate',
  'speed',
  'type',
  'uevent',
  'statistics/rx_bytes',
  'statistics/tx_bytes',
] as const;
const POWER_FILES = ['type', 'online', 'status', 'power_now'] as const;

export interface LinuxInterfaceFiles {
  name: string;
  files: Partial<Record<(typeof INTERFACE_FILES)[number], string>>;
  /** the interfaces that it joins, when it is a bridge */
  bridgeMembers: string[] | undefined;
}

export interface LinuxFiles {
  files: Partial<Record<keyof typeof FILES, string>>;
  interfaces: LinuxInterfaceFiles[];
  /** sources of power, where the machine tells of any */
  power: Partial<Record<(typeof POWER_FILES)[number], string>>[];
}

/** @param root `/`, or a folder that looks like it */
export async function readLinuxFiles(root: string): Promise<LinuxFiles> {
  const names = await list(join(root, 'sys/class/net'));
  const supplies = await list(join(root, 'sys/class/power_supply'));
  const [files, interfaces, power] = await Promise.all([
    readAll(root, Object.keys(FILES) as (keyof typeof FILES)[], FILES),
    // one more than is told, so that the parser sees that there are too many
    Promise.all(names.slice(0, MAX_INTERFACES + 1).map((name) => readInterface(root, name))),
    Promise.all(
      supplies.slice(0, 16).map((name) => readAll(join(root, 'sys/class/power_supply', name), POWER_FILES)),
    ),
  ]);
  return { files, interfaces, power };
}

async function readInterface(root: string, name: string): Promise<LinuxInterfaceFiles> {
  const folder = join(root, 'sys/class/net', name);
  const [files, inside] = await Promise.all([readAll(folder, INTERFACE_FILES), list(folder)]);
  const bridgeMembers = inside.includes('bridge') ? await list(join(folder, 'brif')) : undefined;
  return { name, files, bridgeMembers };
}

/** @param paths where a name is not its path */
async function readAll<K extends string>(
  folder: string,
  names: readonly K[],
  paths: Partial<Record<K, string>> = {},
): Promise<Partial<Record<K, string>>> {
  const result: Partial<Record<K, string>> = {};
  const read = async (name: K) => {
    const text = await readText(join(folder, paths[name] ?? name));
    if (text !== undefined) result[name] = text;
  };
  await Promise.all(names.map(read));
  return result;
}

/** Undefined when it cannot be read: `speed` of an interface without a cable fails, for one. */
async function readText(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path);
    const parts: Buffer[] = [];
    // such files say that they are empty: read until nothing comes
    for (let size = 0; size < MAX_FILE_BYTES; ) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, size);
      if (bytesRead === 0) break;
      parts.push(buffer.subarray(0, bytesRead));
      size += bytesRead;
    }
    return Buffer.concat(parts).toString('utf8');
  } catch {
    return undefined;
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch {
    return [];
  }
}
