// A service as a LaunchDaemon. A daemon, not a LaunchAgent: it starts without anybody logging in, and macOS's Local Network
// privacy does not hold for it. Pure.
import { type DaemonKeys, type DaemonNow, daemonCommands } from '../../agent/checks/changes/launch-daemon.ts';
import type { SystemChange } from '../../protocol/system-change.ts';
import { type ServiceName, type ServiceSpec, type SystemView, serviceLog } from './service-spec.ts';

/** Between two starts of a process that ends at once: launchd's own default, said because it matters. */
const THROTTLE_S = 10;
/** From SIGTERM to SIGKILL: an agent stops its stage in less. */
const EXIT_TIMEOUT_S = 20;
/** Where macOS keeps the commands that an agent asks, and Homebrew those of others. */
const PATH = '/usr/bin:/bin:/usr/sbin:/sbin:/opt/homebrew/bin:/usr/local/bin';

export function launchdLabel(name: ServiceName): string {
  return `org.espalier.${name}`;
}

/** The keys of its property list. */
export function launchdKeys({ name, command, home, user, environment }: ServiceSpec): DaemonKeys {
  const log = serviceLog(home, name);
  return {
    ProgramArguments: command,
    EnvironmentVariables: { PATH, ...environment },
    UserName: user,
    WorkingDirectory: home,
    RunAtLoad: true,
    KeepAlive: true,
    ThrottleInterval: THROTTLE_S,
    ExitTimeOut: EXIT_TIMEOUT_S,
    // no throttling of CPU and disk, as other daemons have it
    ProcessType: 'Interactive',
    StandardOutPath: log,
    StandardErrorPath: log,
  };
}

/** @param folder in Espalier's home, for this change alone */
export function launchdService(spec: ServiceSpec, now: DaemonNow, folder: string): SystemChange {
  return {
    id: `service-${spec.name}`,
    description: `run \`espalier ${spec.name}\` as the LaunchDaemon ${launchdLabel(spec.name)}, from the start of this Mac on`,
    why: 'It starts without anybody logging in, is started again when it ends, and may use the local network.',
    needsRoot: true,
    ...daemonCommands(launchdLabel(spec.name), launchdKeys(spec), now, folder),
  };
}

/** What `launchctl print system/LABEL` says of a daemon; undefined where it knows none. */
export function parseLaunchctlPrint(text: string): SystemView | undefined {
  // one tab: what is nested deeper belongs to something else
  const field = (key: string) => new RegExp(`^\t${key} = (\\S.*)$`, 'm').exec(text)?.[1];
  const state = field('state');
  if (state === undefined) return undefined;
  const pid = Number(field('pid'));
  // `1`, `78: EX_CONFIG`; of one that never ended `(never exited)`
  const hasFailed = state !== 'running' && /^[1-9]/.test(field('last exit code') ?? '');
  return { pid: Number.isInteger(pid) && pid > 0 ? pid : null, hasFailed };
}
