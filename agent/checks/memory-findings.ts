// Pure: findings about memory, the GPU's limit and the disk.
import type { Finding } from '../../protocol/doctor.ts';
import { finding } from '../../protocol/doctor-findings.ts';
import type { NodeState } from './node-state.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** Below this Espalier's own files, of at most some hundred MiB, may not fit. */
const DISK_FULL_BYTES = 1 * GIB;
/** macOS asks for about this much for its own updates and swap. */
const DISK_LOW_BYTES = 20 * GIB;
/** What stays for macOS: 8 GiB, or a sixteenth of a large memory; below 4 GiB it was seen to end programs. */
const RESERVE_BYTES = 8 * GIB;
const RESERVE_SHARE = 1 / 16;
const LEAST_RESERVE_BYTES = 4 * GIB;
/** On small Macs the default leaves macOS what it needs. */
const SMALL_BYTES = 32 * GIB;
/** Less is not worth a setting that the next restart forgets. */
const WORTH_BYTES = 2 * GIB;

export function memoryFindings({ name: node, machine, disk }: NodeState): Finding[] {
  const found: Finding[] = [];
  const { memoryPressure } = machine.load;
  if (memoryPressure === 'warning' || memoryPressure === 'critical') {
    found.push(
      finding('memory-pressure', {
        node,
        severity: memoryPressure === 'critical' ? 'error' : 'warn',
        seen: `macOS tells a memory pressure of "${memoryPressure}"`,
        remedy: 'End other programs, or start the agent with a smaller --memory-limit.',
      }),
    );
  }
  found.push(...gpuLimit(node, machine));
  if (disk && disk.freeBytes < DISK_LOW_BYTES) {
    const id = disk.freeBytes < DISK_FULL_BYTES ? 'disk-full' : 'disk-low';
    found.push(
      finding(id, {
        node,
        seen: `${gib(disk.freeBytes)} of ${gib(disk.totalBytes)} are free on the disk of ${disk.path}`,
        remedy: 'Free some space there, or set ESPALIER_HOME to a folder on another disk.',
      }),
    );
  }
  return found;
}

function gpuLimit(node: string, { memoryBytes, gpuMemoryLimit: limit }: NodeState['machine']): Finding[] {
  if (memoryBytes === null || !limit) return [];
  const best = memoryBytes - Math.max(RESERVE_BYTES, Math.floor(memoryBytes * RESERVE_SHARE));
  const setTo = (bytes: number) => [['/usr/sbin/sysctl', `iogpu.wired_limit_mb=${Math.floor(bytes / MIB)}`]];
  const share = `${gib(limit.bytes)} of ${gib(memoryBytes)} (${limit.source})`;
  if (limit.source === 'sysctl' && limit.bytes > memoryBytes - LEAST_RESERVE_BYTES) {
    return [
      finding('gpu-limit-high', {
        node,
        seen: `the GPU may keep ${share}`,
        remedy: `Leave macOS at least ${gib(memoryBytes - best)}.`,
        fix: {
          description: `Lets the GPU keep ${gib(best)}, until the next restart.`,
          apply: setTo(best),
          undo: setTo(limit.bytes),
          needsRoot: true,
          safe: true,
        },
      }),
    ];
  }
  // an estimate says nothing of what macOS allows: newer versions allow more
  if (limit.source === 'sysctl' || memoryBytes <= SMALL_BYTES || best - limit.bytes < WORTH_BYTES) return [];
  return [
    finding('gpu-limit-default', {
      node,
      seen: `the GPU may keep ${share}: macOS's own choice`,
      remedy: `Raise iogpu.wired_limit_mb, if this Mac does nothing else; it is forgotten at the next restart.`,
      fix: {
        description: `Lets the GPU keep ${gib(best)}, until the next restart.`,
        apply: setTo(best),
        undo: setTo(0), // the system's default
        needsRoot: true,
        safe: true,
      },
    }),
  ];
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(bytes < 10 * GIB ? 1 : 0)} GiB`;
}
