// Who this node is, as far as Node itself knows. What its machine is beyond that is gathered apart.
import { randomUUID } from 'node:crypto';
import { arch, availableParallelism, cpus, hostname, platform, totalmem } from 'node:os';
import type { NodeFacts } from '../../protocol/node.ts';
import { ESPALIER_VERSION } from '../../protocol/version.ts';

/** Tells one start of an agent from the next, where Bonjour would not. */
const BOOT_ID = randomUUID();

/** @param about `name`: shown to people; the host's name without its domain when undefined */
export function nodeFacts(
  id: string,
  { name, memoryLimitBytes }: { name?: string | undefined; memoryLimitBytes?: number | undefined },
): NodeFacts {
  return {
    id,
    name: name ?? hostname().replace(/\..*$/, ''),
    bootId: BOOT_ID,
    pid: process.pid,
    platform: platform(),
    arch: arch(),
    chip: cpus()[0]?.model.trim() || 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    ...(memoryLimitBytes !== undefined && { memoryLimitBytes }),
    espalierVersion: ESPALIER_VERSION,
  };
}
