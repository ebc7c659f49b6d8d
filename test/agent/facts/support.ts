// What the tests of facts share: the project's own outputs of a Mac, and the table of all parsers of such outputs.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCpuinfo } from '../../../agent/facts/linux/cpuinfo.ts';
import { parseMeminfo } from '../../../agent/facts/linux/meminfo.ts';
import { parseOsRelease } from '../../../agent/facts/linux/os-release.ts';
import { parseLinuxRoutes } from '../../../agent/facts/linux/route.ts';
import { parseAccelerator } from '../../../agent/facts/mac/accelerator.ts';
import { type MacAnswers, thunderboltServices } from '../../../agent/facts/mac/assemble.ts';
import { MAC_COMMANDS, type MacCommandName } from '../../../agent/facts/mac/commands.ts';
import { parseHardware } from '../../../agent/facts/mac/hardware.ts';
import { parseHardwarePorts } from '../../../agent/facts/mac/hardware-ports.ts';
import { parseIfconfig } from '../../../agent/facts/mac/ifconfig.ts';
import { parseMacmon } from '../../../agent/facts/mac/macmon.ts';
import { parseMemoryPressure, parseVmStat } from '../../../agent/facts/mac/memory.ts';
import {
  parseNetworkProfile,
  parseServiceInfo,
  parseServiceOrder,
} from '../../../agent/facts/mac/network-services.ts';
import { parsePowerSettings, parsePowerSource } from '../../../agent/facts/mac/pmset.ts';
import { parseIbvDevices, parseIbvDevinfo, parseRdmaStatus } from '../../../agent/facts/mac/rdma.ts';
import { parseRoutes } from '../../../agent/facts/mac/routes.ts';
import { parseSwVers } from '../../../agent/facts/mac/sw-vers.ts';
import { parseSysctl } from '../../../agent/facts/mac/sysctl.ts';
import { parseThermalLevel, parseThermalLimits } from '../../../agent/facts/mac/thermal.ts';
import { parseThunderbolt } from '../../../agent/facts/mac/thunderbolt.ts';
import { parseTraffic } from '../../../agent/facts/mac/traffic.ts';
import type { Parsed } from '../../../agent/facts/text.ts';
import { fixturesDir } from '../../support/paths.ts';

export const MAC_PARSERS: Record<MacCommandName | 'serviceInfo', (text: string) => Parsed<unknown>> = {
  hardware: parseHardware,
  thunderbolt: parseThunderbolt,
  networkProfile: parseNetworkProfile,
  swVers: parseSwVers,
  hardwarePorts: parseHardwarePorts,
  serviceOrder: parseServiceOrder,
  serviceInfo: parseServiceInfo,
  powerSettingsAll: parsePowerSettings,
  rdmaStatus: parseRdmaStatus,
  ibvDevices: parseIbvDevices,
  ifconfig: parseIfconfig,
  routes: parseRoutes,
  ibvDevinfo: parseIbvDevinfo,
  powerSettings: parsePowerSettings,
  powerSource: parsePowerSource,
  thermalLevel: parseThermalLevel,
  thermalLimits: parseThermalLimits,
  macmon: parseMacmon,
  sysctl: parseSysctl,
  accelerator: parseAccelerator,
  memoryPressure: parseMemoryPressure,
  vmStat: parseVmStat,
  traffic: parseTraffic,
};

export const LINUX_PARSERS = { parseCpuinfo, parseMeminfo, parseOsRelease, parseLinuxRoutes };

export const macCommandNames = Object.keys(MAC_COMMANDS) as MacCommandName[];

/** One output of a Mac that never was: `studio` has all of them, `laptop` two in the text form. */
export function fixture(machine: 'studio' | 'laptop', name: keyof typeof MAC_PARSERS): string {
  return readFileSync(join(fixturesDir, 'macos', machine, `${name}.txt`), 'utf8');
}

/** Everything that the Mac Studio answers. */
export function studioAnswers(): MacAnswers {
  const answers: MacAnswers = { commands: {}, serviceInfo: {} };
  for (const name of macCommandNames) answers.commands[name] = { text: fixture('studio', name) };
  for (const service of thunderboltServices(answers)) {
    answers.serviceInfo[service] = { text: fixture('studio', 'serviceInfo') };
  }
  return answers;
}
