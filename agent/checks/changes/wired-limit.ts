// The change that lets the GPU keep more of a Mac's memory resident, also after a restart. Pure.
import type { GpuMemoryLimit } from '../../../protocol/facts.ts';
import type { SystemChange } from '../../../protocol/system-change.ts';
import { type DaemonNow, daemonCommands } from './launch-daemon.ts';
import type { MacSettings } from './mac-settings.ts';

export const WIRED_LIMIT_LABEL = 'org.espalier.wired-limit';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
/** What is left to macOS of a Mac that does nothing else: a rule of ours, 8 GiB and of large memories a sixteenth. */
const LEAST_RESERVE_BYTES = 8 * GIB;
const RESERVE_SHARE = 1 / 16;

export interface WiredLimitInputs {
  memoryBytes: number | null;
  /** what is known of the present limit */
  limit: GpuMemoryLimit | null;
  wiredLimit: MacSettings['wiredLimit'];
  daemon: DaemonNow;
  /** in Espalier's home, for this change alone */
  folder: string;
}

/** The limit that is proposed: a whole number of MiB. @param memoryBytes of the whole machine */
export function proposedLimitBytes(memoryBytes: number): number {
  const reserve = Math.max(LEAST_RESERVE_BYTES, memoryBytes * RESERVE_SHARE);
  return Math.floor(Math.max(0, memoryBytes - reserve) / MIB) * MIB;
}

/**
 * sysctl's value is lost at a restart, and /etc/sysctl.conf is not read: a LaunchDaemon sets it at each start.
 * @returns undefined where the limit is as high already, or macOS has no such setting
 */
export function wiredLimitChange(inputs: WiredLimitInputs): SystemChange | undefined {
  const { memoryBytes, limit, wiredLimit, daemon, folder } = inputs;
  if (memoryBytes === null || wiredLimit === null) return undefined;
  const { key, value } = wiredLimit;
  const bytes = proposedLimitBytes(memoryBytes);
  const valueBytes = key === 'iogpu.wired_limit_mb' ? value * MIB : value;
  // 0 is the system's default, of which the facts may know how much that is
  if (bytes <= Math.max(valueBytes, limit?.bytes ?? 0)) return undefined;
  const wanted = key === 'iogpu.wired_limit_mb' ? bytes / MIB : bytes;
  const commands = daemonCommands(
    WIRED_LIMIT_LABEL,
    { ProgramArguments: ['/usr/sbin/sysctl', `${key}=${wanted}`], RunAtLoad: true },
    daemon,
    folder,
  );
  return {
    id: 'wired-limit',
    description: `let the GPU keep ${bytes / GIB} of ${memoryBytes / GIB} GiB resident, at each start of this Mac`,
    why: 'Weights and KV fit only below this limit; the rest of the memory lies idle on a Mac that does nothing else.',
    needsRoot: true,
    ...commands,
    undo: [...commands.undo, ['/usr/sbin/sysctl', `${key}=${value}`]],
  };
}
