// What is asked of macOS, by which commands, how often and how long. It knows nothing of their answers.
import type { Depth } from '../schedule.ts';
import { SYSCTL_KEYS } from './sysctl.ts';

export interface MacCommand {
  file: string;
  args: readonly string[];
  timeoutMs: number;
  depth: Depth;
  /** on some Macs only: its absence is worth no note */
  optional?: boolean;
}

const TIMEOUT_MS = 5_000;
/** system_profiler takes seconds, and longer on a busy machine. */
const PROFILER_TIMEOUT_MS = 20_000;

const profiler = (dataType: string): MacCommand => ({
  file: 'system_profiler',
  args: ['-json', dataType],
  timeoutMs: PROFILER_TIMEOUT_MS,
  depth: 'all',
});
const command = (depth: Depth, file: string, ...args: string[]): MacCommand => {
  return { file, args, timeoutMs: TIMEOUT_MS, depth };
};

export const MAC_COMMANDS = {
  hardware: profiler('SPHardwareDataType'),
  thunderbolt: profiler('SPThunderboltDataType'),
  networkProfile: profiler('SPNetworkDataType'),
  swVers: command('all', 'sw_vers'),
  hardwarePorts: command('all', 'networksetup', '-listallhardwareports'),
  serviceOrder: command('all', 'networksetup', '-listnetworkserviceorder'),
  powerSettingsAll: command('all', 'pmset', '-g', 'custom'),
  rdmaStatus: { ...command('all', 'rdma_ctl', 'status'), optional: true },
  ibvDevices: { ...command('all', 'ibv_devices'), optional: true },
  ifconfig: command('links', 'ifconfig', '-v'),
  routes: command('links', 'netstat', '-rn'),
  ibvDevinfo: { ...command('links', 'ibv_devinfo', '-v'), optional: true },
  powerSettings: command('links', 'pmset', '-g'),
  powerSource: command('links', 'pmset', '-g', 'ps'),
  thermalLevel: command('links', 'notifyutil', '-g', 'com.apple.system.thermalpressurelevel'),
  thermalLimits: command('links', 'pmset', '-g', 'therm'),
  macmon: { ...command('links', 'macmon', 'pipe', '-s', '1', '-i', '500'), optional: true },
  sysctl: command('load', 'sysctl', '-i', ...SYSCTL_KEYS),
  accelerator: command('load', 'ioreg', '-r', '-d', '1', '-w', '0', '-c', 'IOAccelerator'),
  memoryPressure: command('load', 'memory_pressure', '-Q'),
  vmStat: command('load', 'vm_stat'),
  traffic: command('load', 'netstat', '-ib'),
} as const satisfies Record<string, MacCommand>;

export type MacCommandName = keyof typeof MAC_COMMANDS;

/** Asked once the names of the services are known, of those of Thunderbolt ports. */
export function serviceInfoCommand(service: string): MacCommand {
  return command('all', 'networksetup', '-getinfo', service);
}

/** Where macOS keeps its own commands, then where Homebrew puts those of others: never where a user's PATH leads. */
export const MAC_SEARCH_PATH = '/usr/bin:/bin:/usr/sbin:/sbin:/opt/homebrew/bin:/usr/local/bin';
