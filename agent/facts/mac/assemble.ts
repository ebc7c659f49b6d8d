// The outputs of macOS's commands become one record. Pure: whatever the outputs are, a record that the schema takes comes
// out, with a note for each command that did not answer.
import type { FactNote, MachineFacts, ThunderboltPort } from '../../../protocol/facts.ts';
import { gpuMemoryLimit } from '../gpu-limit.ts';
import { shortList } from '../notes.ts';
import type { CommandAnswer } from '../run-command.ts';
import { note, type Parsed } from '../text.ts';
import { parseAccelerator } from './accelerator.ts';
import { MAC_COMMANDS, type MacCommand, type MacCommandName } from './commands.ts';
import { parseHardware } from './hardware.ts';
import { type HardwarePort, parseHardwarePorts, thunderboltPort } from './hardware-ports.ts';
import { parseIfconfig } from './ifconfig.ts';
import { macInterfaces } from './interfaces.ts';
import { parseMacmon } from './macmon.ts';
import { parseMemoryPressure, parseVmStat } from './memory.ts';
import {
  parseNetworkProfile,
  parseServiceInfo,
  parseServiceOrder,
  type ServiceOfInterface,
} from './network-services.ts';
import { parsePowerSettings, parsePowerSource } from './pmset.ts';
import { parseIbvDevices, parseIbvDevinfo, parseRdmaStatus, rdmaFacts } from './rdma.ts';
import { parseRoutes } from './routes.ts';
import { parseSwVers } from './sw-vers.ts';
import { parseSysctl } from './sysctl.ts';
import { parseThermalLevel, parseThermalLimits } from './thermal.ts';
import { type BarePort, parseThunderbolt } from './thunderbolt.ts';
import { parseTraffic } from './traffic.ts';

export interface MacAnswers {
  commands: Partial<Record<MacCommandName, CommandAnswer>>;
  /** `networksetup -getinfo`, by the name of the service */
  serviceInfo: Record<string, CommandAnswer>;
}

/**
 * @param measuredGpuLimitBytes Metal's own figure, once a stage has told it
 * @returns a record that the schema takes, whatever the answers hold
 */
export function factsOfMac(answers: MacAnswers, measuredGpuLimitBytes: number | null): MachineFacts {
  const notes: FactNote[] = [];
  const read = <T>(name: MacCommandName, parse: (text: string) => Parsed<T>): T | undefined => {
    const answer = answers.commands[name];
    const { file, args, optional }: MacCommand = MAC_COMMANDS[name];
    if (!answer) return undefined;
    if (answer.problem !== undefined && !(optional && answer.isAbsent)) {
      notes.push(note([file, ...args.slice(0, 2)].join(' '), answer.problem));
    }
    if (answer.text === '') return undefined;
    const parsed = parse(answer.text);
    notes.push(...parsed.notes);
    return parsed.value;
  };
  const hardware = read('hardware', parseHardware);
  const sysctl = read('sysctl', parseSysctl);
  const os = read('swVers', parseSwVers);
  const accelerator = read('accelerator', parseAccelerator);
  const ports = read('hardwarePorts', parseHardwarePorts) ?? [];
  const services = withMethods(read('serviceOrder', parseServiceOrder) ?? [], answers, notes);
  const memoryBytes = sysctl?.memoryBytes ?? hardware?.memoryBytes ?? null;
  const sysctlBytes = sysctl?.gpuWiredLimitBytes ?? null;
  const limit = gpuMemoryLimit({ memoryBytes, measuredBytes: measuredGpuLimitBytes, sysctlBytes });
  notes.push(...limit.notes);
  const settings = read('powerSettings', parsePowerSettings) ?? read('powerSettingsAll', parsePowerSettings);
  const source = read('powerSource', parsePowerSource) ?? null;
  return {
    modelIdentifier: hardware?.modelIdentifier ?? sysctl?.modelIdentifier ?? null,
    modelName: hardware?.modelName ?? null,
    chip: hardware?.chip ?? sysctl?.chip ?? null,
    coresPerformance: hardware?.coresPerformance ?? sysctl?.coresPerformance ?? null,
    coresEfficiency: hardware?.coresEfficiency ?? sysctl?.coresEfficiency ?? null,
    coresGpu: accelerator?.coresGpu ?? null,
    memoryBytes,
    gpuMemoryLimit: limit.value,
    os: os ?? { name: 'macOS', version: sysctl?.osVersion ?? null, build: sysctl?.osBuild ?? null },
    interfaces: macInterfaces(
      read('ifconfig', parseIfconfig) ?? [],
      ports,
      services,
      read('networkProfile', parseNetworkProfile) ?? [],
    ),
    routes: read('routes', parseRoutes) ?? [],
    thunderboltPorts: named(read('thunderbolt', parseThunderbolt) ?? [], ports),
    rdma: rdmaFacts(
      read('rdmaStatus', parseRdmaStatus) ?? null,
      read('ibvDevices', parseIbvDevices) ?? [],
      read('ibvDevinfo', parseIbvDevinfo) ?? [],
    ),
    power: settings || source ? { ...(settings ?? NO_SETTINGS), source } : null,
    thermal: {
      level: read('thermalLevel', parseThermalLevel) ?? null,
      cpuSpeedShare: read('thermalLimits', parseThermalLimits) ?? null,
    },
    load: {
      gpuUseShare: accelerator?.gpuUseShare ?? null,
      gpuMemoryBytes: accelerator?.gpuMemoryBytes ?? null,
      memoryPressure: sysctl?.memoryPressure ?? null,
      memoryFreeShare: read('memoryPressure', parseMemoryPressure) ?? sysctl?.memoryFreeShare ?? null,
      memoryAvailableBytes: read('vmStat', parseVmStat) ?? null,
      watts: read('macmon', parseMacmon) ?? null,
      traffic: read('traffic', parseTraffic) ?? [],
    },
    notes: shortList(notes),
  };
}

/** In the order of the sockets' numbers; system_profiler begins with the last bus. */
function named(found: readonly BarePort[], ports: readonly HardwarePort[]): ThunderboltPort[] {
  return found
    .map((port) => {
      const own = thunderboltPort(ports, port.receptacle);
      return { ...port, portName: own?.portName ?? null, interface: own?.interface ?? null };
    })
    .sort((a, b) => (a.receptacle ?? Infinity) - (b.receptacle ?? Infinity));
}

const NO_SETTINGS = {
  sleepMinutes: null,
  diskSleepMinutes: null,
  wakeOnNetwork: null,
  restartAfterPowerLoss: null,
  powerMode: null,
};

/** The services of Thunderbolt ports whose `-getinfo` is worth asking for: those that are enabled. */
export function thunderboltServices(answers: MacAnswers): string[] {
  const ports = parseHardwarePorts(answers.commands.hardwarePorts?.text ?? '').value;
  const ofThunderbolt = new Set(ports.filter(isThunderbolt).map((port) => port.interface));
  return parseServiceOrder(answers.commands.serviceOrder?.text ?? '')
    .value.filter((service) => service.order !== null && ofThunderbolt.has(service.interface))
    .map((service) => service.name)
    .filter((name) => !name.startsWith('-'));
}

function isThunderbolt({ portName }: HardwarePort): boolean {
  return /^Thunderbolt/i.test(portName);
}

function withMethods(
  services: ServiceOfInterface[],
  answers: MacAnswers,
  notes: FactNote[],
): ServiceOfInterface[] {
  return services.map((service) => {
    const answer = Object.hasOwn(answers.serviceInfo, service.name)
      ? answers.serviceInfo[service.name]
      : undefined;
    if (!answer) return service;
    if (answer.problem !== undefined) notes.push(note('networksetup -getinfo', answer.problem));
    if (answer.text === '') return service;
    const parsed = parseServiceInfo(answer.text);
    notes.push(...parsed.notes);
    return { ...service, ipv4: parsed.value };
  });
}
