// The services of this home, whatever keeps them running: what installing one would change, its start, and its end. It
// shows and asks nothing; system changes are made by scripts/system-changes.
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { daemonPath } from '../../agent/checks/changes/launch-daemon.ts';
import { EspalierError } from '../../protocol/errors.ts';
import { changeFolder, type SystemChange } from '../../protocol/system-change.ts';
import { applyChange, type ChangeTools, undoChange } from '../system-changes/change-system.ts';
import { startInBackground, stopProcess } from './background.ts';
import { launchdLabel, launchdService } from './launchd-service.ts';
import { readServices, saveService } from './saved-services.ts';
import { type ServiceHow, type ServiceName, type ServiceSpec, serviceLog } from './service-spec.ts';
import { systemdService, unitPath } from './systemd-service.ts';
import { untilUp } from './until-up.ts';

export interface ServiceTools extends ChangeTools {
  /** ESPALIER_HOME */
  home: string;
  /** as process.platform */
  platform: string;
}

/** What keeps services running from the start of this machine on; undefined where nothing that is known here does. */
export function systemHow(
  platform: string = process.platform,
): Exclude<ServiceHow, 'background'> | undefined {
  if (platform === 'darwin') return 'launchd';
  // sd_booted(3)
  return platform === 'linux' && existsSync('/run/systemd/system') ? 'systemd' : undefined;
}

/**
 * What installing a service changes of the system; undefined for one in the background.
 * @throws EspalierError bad_option where this machine has no such system
 */
export async function serviceChange(
  spec: ServiceSpec,
  how: ServiceHow,
  { run, platform }: Pick<ServiceTools, 'run' | 'platform'>,
): Promise<SystemChange | undefined> {
  if (how !== 'background' && how !== systemHow(platform)) {
    throw new EspalierError(
      'bad_option',
      `--how ${how}: this machine does not run it; take --how background`,
    );
  }
  const folder = changeFolder(spec.home, `service-${spec.name}`);
  if (how === 'launchd') {
    const label = launchdLabel(spec.name);
    const printed = await run(['/bin/launchctl', 'print', `system/${label}`]);
    const now = { file: await textOf(daemonPath(label)), isLoaded: printed.exitCode === 0 };
    return launchdService(spec, now, folder);
  }
  return how === 'systemd' ? systemdService(spec, await textOf(unitPath(spec.name)), folder) : undefined;
}

/**
 * Installs a service, or upgrades it: what runs of it is ended first, in good order.
 * @param change as `serviceChange` told, and the user has seen
 * @param extra of the environment of a service in the background, for this start alone
 * @throws EspalierError bad_option where the system keeps it running in another way, service_failed, system_change_failed,
 *   home_not_writable, home_damaged
 */
export async function installService(
  spec: ServiceSpec,
  how: ServiceHow,
  change: SystemChange | undefined,
  tools: ServiceTools,
  extra: Record<string, string> = {},
): Promise<void> {
  const { name, home, args } = spec;
  const before = readServices(home)[name]?.how;
  if (before !== undefined && before !== 'background' && before !== how) {
    throw new EspalierError(
      'bad_option',
      `the ${name} is kept running by ${before} here: \`espalier service uninstall ${name}\` first`,
    );
  }
  if (how === 'background' || before !== how) await stopProcess(home, name);
  if (how !== 'systemd') await mkdir(dirname(serviceLog(home, name)), { recursive: true, mode: 0o700 });
  if (change === undefined) await startInBackground(spec, extra);
  else await applyChange(change, tools);
  saveService(home, name, { how, args: [...args] });
  // in the background it is up already; by the system it is a service also while it fails, until it is uninstalled
  if (change !== undefined) await untilUp(name, tools);
}

/**
 * Ends a service and takes it away. Its keys, its pairing and its logs stay.
 * @returns false where there was none
 * @throws EspalierError service_failed, system_change_failed, home_not_writable, home_damaged
 */
export async function uninstallService(name: ServiceName, tools: ServiceTools): Promise<boolean> {
  const { home, journal } = tools;
  const saved = readServices(home)[name];
  const record = journal.read().find(({ id }) => id === `service-${name}`);
  if (record) await undoChange(record, tools);
  if (saved?.how === 'background') await stopProcess(home, name);
  saveService(home, name, undefined);
  return saved !== undefined || record !== undefined;
}

/**
 * The arguments with which a service is to run.
 * @param given those of the command line; none takes those of the last time
 */
export function argsFor(name: ServiceName, given: readonly string[], home: string): readonly string[] {
  return given.length > 0 ? given : (readServices(home)[name]?.args ?? []);
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new EspalierError('system_change_failed', `${path} cannot be read: ${(error as Error).message}`);
  }
}
