// The files of a Linux machine become the same record as the commands of a Mac. Pure; Thunderbolt peers, RDMA and the
// GPU's limit are macOS's.
import type { FactNote, InterfaceAddress, MachineFacts, PowerFacts } from '../../../protocol/facts.ts';
import { shortList } from '../notes.ts';
import { label, note, type Parsed, wholeNumber } from '../text.ts';
import { parseCpuinfo } from './cpuinfo.ts';
import type { LinuxFiles } from './files.ts';
import { linuxInterfaces } from './interfaces.ts';
import { parseMeminfo } from './meminfo.ts';
import { parseOsRelease } from './os-release.ts';
import { parseLinuxRoutes } from './route.ts';

const MAX_MICROWATTS = 1e11;

export function factsOfLinux(
  { files, interfaces: found, power }: LinuxFiles,
  addresses: ReadonlyMap<string, InterfaceAddress[]>,
): MachineFacts {
  const notes: FactNote[] = [];
  const read = <T>(
    name: keyof typeof files,
    path: string,
    parse: (text: string) => Parsed<T>,
  ): T | undefined => {
    const text = files[name];
    if (text === undefined) {
      notes.push(note(path, 'it cannot be read'));
      return undefined;
    }
    const parsed = parse(text);
    notes.push(...parsed.notes);
    return parsed.value;
  };
  const memory = read('meminfo', '/proc/meminfo', parseMeminfo);
  const os = read('osRelease', '/etc/os-release', parseOsRelease);
  const net = linuxInterfaces(found, addresses);
  notes.push(...net.notes);
  return {
    modelIdentifier: null,
    modelName: label(files.productName) ?? label(files.deviceModel),
    chip: read('cpuinfo', '/proc/cpuinfo', parseCpuinfo) ?? null,
    coresPerformance: null,
    coresEfficiency: null,
    coresGpu: null,
    memoryBytes: memory?.memoryBytes ?? null,
    gpuMemoryLimit: null,
    os: { name: os?.name ?? 'Linux', version: os?.version ?? null, build: label(files.kernel) },
    interfaces: net.value.interfaces,
    routes: read('routes', '/proc/net/route', parseLinuxRoutes) ?? [],
    thunderboltPorts: [],
    rdma: { state: 'unavailable', devices: [] },
    power: powerFacts(power),
    thermal: null,
    load: {
      gpuUseShare: null,
      gpuMemoryBytes: null,
      memoryPressure: null,
      memoryFreeShare: null,
      memoryAvailableBytes: memory?.memoryAvailableBytes ?? null,
      watts: batteryWatts(power),
      traffic: net.value.traffic,
    },
    notes: shortList(notes),
  };
}

function powerFacts(supplies: LinuxFiles['power']): PowerFacts | null {
  const isOnline = supplies.some(({ type, online }) => type?.trim() === 'Mains' && online?.trim() === '1');
  const battery = supplies.find(({ type }) => type?.trim() === 'Battery');
  const source = isOnline ? 'ac' : battery?.status?.trim() === 'Discharging' ? 'battery' : null;
  if (source === null) return null;
  return {
    source,
    sleepMinutes: null,
    diskSleepMinutes: null,
    wakeOnNetwork: null,
    restartAfterPowerLoss: null,
    powerMode: null,
  };
}

/** What a battery gives while it is the only source is what the machine draws. */
function batteryWatts(supplies: LinuxFiles['power']): number | null {
  const battery = supplies.find(({ status }) => status?.trim() === 'Discharging');
  const microwatts = wholeNumber(battery?.power_now?.trim(), MAX_MICROWATTS);
  return microwatts === null ? null : microwatts / 1e6;
}
