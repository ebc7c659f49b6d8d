// What a Mac's settings are before anything is changed, beyond its facts: read from outputs of macOS's commands, so that a
// change can bring back exactly what was there. Pure; it must not know who runs the commands.
import { readSections } from '../../facts/mac/pmset.ts';
import { lines, wholeNumber } from '../../facts/text.ts';

const MAX_POWER_VALUE = 1_000_000_000;
export const FIREWALL_TOOL = '/usr/libexec/ApplicationFirewall/socketfilterfw';

/** What is asked, by the name under which the answer is wanted. */
export const SETTINGS_COMMANDS = {
  pmset: ['/usr/bin/pmset', '-g', 'custom'],
  pmsetSystem: ['/usr/bin/pmset', '-g'],
  wiredLimit: ['/usr/sbin/sysctl', '-i', 'iogpu.wired_limit_mb', 'debug.iogpu.wired_limit'],
  firewallState: [FIREWALL_TOOL, '--getglobalstate'],
  firewallApps: [FIREWALL_TOOL, '--listapps'],
} as const;

export type SettingsAnswers = Record<keyof typeof SETTINGS_COMMANDS, string>;

export interface MacSettings {
  /** of `pmset -g custom`, what holds on AC power, by pmset's own names */
  acPower: ReadonlyMap<string, number>;
  /** by `pmset disablesleep`, whatever the power comes from */
  isSleepDisabled: boolean;
  /** the key that this macOS has for the GPU's wired limit, and its value: 0 is the system's default */
  wiredLimit: { key: 'iogpu.wired_limit_mb' | 'debug.iogpu.wired_limit'; value: number } | null;
  /** off; on, asking for each program; or letting nothing in at all. Null where it did not say */
  firewall: 'off' | 'on' | 'blocks-all' | null;
  /** programs that the firewall knows, by path, and whether they may listen */
  firewallApps: ReadonlyMap<string, boolean>;
}

/** @param answers the outputs; an empty text where a command did not answer */
export function readMacSettings(answers: SettingsAnswers): MacSettings {
  return {
    acPower: readAcPower(answers.pmset),
    isSleepDisabled: readIsSleepDisabled(answers.pmsetSystem),
    wiredLimit: readWiredLimit(answers.wiredLimit),
    firewall: readFirewallState(answers.firewallState),
    firewallApps: readFirewallApps(answers.firewallApps),
  };
}

/** Desktops have no other section, laptops one for the battery, too. */
function readAcPower(text: string): Map<string, number> {
  const printed = [...(readSections(text).get('AC Power') ?? [])];
  return new Map(
    printed.flatMap(([key, text]): [string, number][] => {
      const value = wholeNumber(text, MAX_POWER_VALUE);
      return value === null ? [] : [[key, value]];
    }),
  );
}

function readIsSleepDisabled(text: string): boolean {
  return readSections(text).get('System-wide power settings')?.get('SleepDisabled') === '1';
}

function readWiredLimit(text: string): MacSettings['wiredLimit'] {
  for (const key of ['iogpu.wired_limit_mb', 'debug.iogpu.wired_limit'] as const) {
    const value = new RegExp(`^${key}: (\\d{1,18})$`, 'm').exec(text)?.[1];
    if (value !== undefined) return { key, value: Number(value) };
  }
  return null;
}

/** `Firewall is enabled. (State = 1)`; 2 is "block all incoming connections". */
function readFirewallState(text: string): MacSettings['firewall'] {
  const state = /\(State = (\d)\)/.exec(text)?.[1];
  if (state === '0') return 'off';
  if (state === '1') return 'on';
  return state === '2' ? 'blocks-all' : null;
}

/** `1 : /usr/local/bin/node`, and below it `( Allow incoming connections )` or `( Block incoming connections )`. */
function readFirewallApps(text: string): Map<string, boolean> {
  const apps = new Map<string, boolean>();
  let path: string | undefined;
  for (const line of lines(text)) {
    path = /^\s*\d{1,5}\s*:\s*(\/.{1,1000}?)\s*$/.exec(line)?.[1] ?? path;
    const verdict = /\(\s*(Allow|Block) incoming connections\s*\)/i.exec(line)?.[1];
    if (path !== undefined && verdict !== undefined) apps.set(path, verdict.toLowerCase() === 'allow');
  }
  return apps;
}
