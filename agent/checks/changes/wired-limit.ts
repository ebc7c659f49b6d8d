// The change that lets the GPU keep as much of a Mac's memory resident as a Mac that does nothing else can spare, also after a
// restart. Pure.
import type { Fix } from '../../../protocol/doctor.ts';
import type { MachineFacts } from '../../../protocol/facts.ts';
import { type DaemonNow, daemonCommands } from './launch-daemon.ts';
import type { MacSettings } from './mac-settings.ts';

export const WIRED_LIMIT_LABEL = 'org.espalier.wired-limit';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
/** What is left to macOS of a Mac that does nothing else: a rule of ours, 8 GiB and of large memories a sixteenth. */
const RESERVE_BYTES = 8 * GIB;
const RESERVE_SHARE = 1 / 16;
/** With less than this macOS was seen to end programs. */
const LEAST_RESERVE_BYTES = 4 * GIB;
/** On small Macs the default leaves macOS what it needs. */
const SMALL_BYTES = 32 * GIB;
/** Less is not worth a daemon. */
const WORTH_BYTES = 2 * GIB;

export interface LimitInputs {
  facts: Pick<MachineFacts, 'memoryBytes' | 'gpuMemoryLimit'>;
  wiredLimit: MacSettings['wiredLimit'];
}

/** A limit that should be another one. */
export interface WrongLimit {
  is: 'low' | 'high';
  /** in force now; where the system's default holds, what is known of it */
  nowBytes: number;
  wantedBytes: number;
}

/** The limit that is proposed: a whole number of MiB. @param memoryBytes of the whole machine */
export function proposedLimitBytes(memoryBytes: number): number {
  const reserve = Math.max(RESERVE_BYTES, memoryBytes * RESERVE_SHARE);
  return Math.floor(Math.max(0, memoryBytes - reserve) / MIB) * MIB;
}

/** @returns undefined where the limit may stay, or macOS has no such setting */
export function wrongLimit({
  facts: { memoryBytes, gpuMemoryLimit },
  wiredLimit,
}: LimitInputs): WrongLimit | undefined {
  if (memoryBytes === null || wiredLimit === null) return undefined;
  const wantedBytes = proposedLimitBytes(memoryBytes);
  const { key, value } = wiredLimit;
  const setBytes = value * unitOf(key);
  if (setBytes > memoryBytes - LEAST_RESERVE_BYTES) return { is: 'high', nowBytes: setBytes, wantedBytes };
  // 0 is the system's default, of which the facts may know how much that is
  const nowBytes = setBytes > 0 ? setBytes : (gpuMemoryLimit?.bytes ?? 0);
  const isLow = memoryBytes > SMALL_BYTES && wantedBytes - nowBytes >= WORTH_BYTES;
  return isLow ? { is: 'low', nowBytes, wantedBytes } : undefined;
}

/**
 * sysctl's value is lost at a restart, and /etc/sysctl.conf is not read: a LaunchDaemon sets it at each start.
 * @param folder in Espalier's home, for this change alone
 */
export function wiredLimitChange(inputs: LimitInputs, daemon: DaemonNow, folder: string): Fix | undefined {
  const wrong = wrongLimit(inputs);
  const { wiredLimit, facts } = inputs;
  if (!wrong || wiredLimit === null) return undefined;
  const { key, value } = wiredLimit;
  const commands = daemonCommands(
    WIRED_LIMIT_LABEL,
    { ProgramArguments: ['/usr/sbin/sysctl', `${key}=${wrong.wantedBytes / unitOf(key)}`], RunAtLoad: true },
    daemon,
    folder,
  );
  const share = `${wrong.wantedBytes / GIB} of ${(facts.memoryBytes ?? 0) / GIB} GiB`;
  return {
    id: 'wired-limit',
    description: `let the GPU keep ${share} resident, at each start of this Mac`,
    why:
      wrong.is === 'low'
        ? 'Weights and KV fit only below this limit; the rest of the memory lies idle on a Mac that does nothing else.'
        : 'With less memory left, macOS swaps or ends programs as soon as the GPU takes what it may.',
    needsRoot: true,
    safe: true,
    ...commands,
    undo: [...commands.undo, ['/usr/sbin/sysctl', `${key}=${value}`]],
  };
}

/** macOS 13 counts bytes, all later ones MiB. */
function unitOf(key: NonNullable<MacSettings['wiredLimit']>['key']): number {
  return key === 'iogpu.wired_limit_mb' ? MIB : 1;
}
