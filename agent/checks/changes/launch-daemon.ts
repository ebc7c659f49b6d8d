// A LaunchDaemon as a change: its property list, and the commands that put it in place and take it away. Pure.
import { join } from 'node:path';
import { build } from 'plist';
import type { Argv, SystemChange } from '../../../protocol/system-change.ts';
import { systemFile } from './system-file.ts';

export const LAUNCH_DAEMONS_DIR = '/Library/LaunchDaemons';
const LAUNCHCTL = '/bin/launchctl';

/** The keys of launchd.plist(5) that are used here. */
export interface DaemonKeys {
  ProgramArguments: string[];
  RunAtLoad: true;
  KeepAlive?: boolean;
  ThrottleInterval?: number;
  ExitTimeOut?: number;
  ProcessType?: 'Interactive';
  UserName?: string;
  WorkingDirectory?: string;
  EnvironmentVariables?: Record<string, string>;
  StandardOutPath?: string;
  StandardErrorPath?: string;
}

/** What is at the daemon's place now. */
export interface DaemonNow {
  /** its property list; null where there is none */
  file: string | null;
  isLoaded: boolean;
}

/** Where the property list of a label lies. */
export function daemonPath(label: string): string {
  return join(LAUNCH_DAEMONS_DIR, `${label}.plist`);
}

/** The property list as XML. */
export function daemonPlist(label: string, keys: DaemonKeys): string {
  return `${build({ Label: label, ...keys })}\n`;
}

/**
 * The commands that put a daemon in place, in the stead of one of the same label, and those that bring back what was there.
 * @param folder in Espalier's home, for this change alone
 */
export function daemonCommands(
  label: string,
  keys: DaemonKeys,
  now: DaemonNow,
  folder: string,
): Pick<SystemChange, 'files' | 'apply' | 'undo'> {
  const path = daemonPath(label);
  const file = systemFile({ path, text: daemonPlist(label, keys), before: now.file }, folder, 'wheel');
  const load: Argv = [LAUNCHCTL, 'bootstrap', 'system', path];
  const unload: Argv = [LAUNCHCTL, 'bootout', `system/${label}`];
  return {
    files: file.files,
    apply: [...(now.isLoaded ? [unload] : []), file.write, load],
    undo: [unload, file.restore, ...(now.isLoaded && now.file !== null ? [load] : [])],
  };
}
