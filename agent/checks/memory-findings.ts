// Pure: findings about memory, the GPU's limit and the disk.
import type { Finding } from '../../protocol/doctor.ts';
import { finding } from '../../protocol/doctor-findings.ts';
import { wrongLimit } from './changes/wired-limit.ts';
import { fixesOf, type NodeState } from './node-state.ts';

const GIB = 1024 ** 3;

/** Below this Espalier's own files, of at most some hundred MiB, may not fit. */
const DISK_FULL_BYTES = 1 * GIB;
/** macOS asks for about this much for its own updates and swap. */
const DISK_LOW_BYTES = 20 * GIB;
export function memoryFindings(state: NodeState): Finding[] {
  const { name: node, machine, disk } = state;
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
  found.push(...gpuLimit(state));
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

function gpuLimit(state: NodeState): Finding[] {
  const { name: node, machine, settings } = state;
  const wrong = settings && wrongLimit({ facts: machine, wiredLimit: settings.wiredLimit });
  if (!wrong) return [];
  const source = settings.wiredLimit?.value === 0 ? (machine.gpuMemoryLimit?.source ?? 'unknown') : 'sysctl';
  const seen = `the GPU may keep ${gib(wrong.nowBytes)} of ${gib(machine.memoryBytes ?? 0)} (${source})`;
  const fixes = fixesOf(state, 'wired-limit');
  if (wrong.is === 'high') {
    const spare = gib((machine.memoryBytes ?? 0) - wrong.wantedBytes);
    return [finding('gpu-limit-high', { node, seen, remedy: `Leave macOS at least ${spare}.`, fixes })];
  }
  const remedy = `Raise it to ${gib(wrong.wantedBytes)}, if this Mac does nothing else.`;
  return [finding('gpu-limit-low', { node, seen, remedy, fixes })];
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(bytes < 10 * GIB ? 1 : 0)} GiB`;
}
