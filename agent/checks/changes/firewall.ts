// The changes by which macOS's firewall lets the other nodes reach this one's agent. Pure. They open the Mac to others,
// so a person says yes to each.
import type { Fix } from '../../../protocol/doctor.ts';
import { FIREWALL_TOOL, type MacSettings } from './mac-settings.ts';

/**
 * @param program the Node that runs the agent, as an absolute path
 * @returns the changes in the order in which they belong; none while the firewall is off, or unknown
 */
export function firewallChanges(
  { firewall, firewallApps }: Pick<MacSettings, 'firewall' | 'firewallApps'>,
  program: string,
): Fix[] {
  if (firewall === null || firewall === 'off') return [];
  const changes: Fix[] = [];
  if (firewall === 'blocks-all') {
    changes.push({
      id: 'firewall-block-all',
      description: 'let the firewall decide by program, instead of blocking all that comes in',
      why: 'While it blocks everything, no other node and no controller reaches this one.',
      needsRoot: true,
      safe: false,
      files: [],
      apply: [[FIREWALL_TOOL, '--setblockall', 'off']],
      undo: [[FIREWALL_TOOL, '--setblockall', 'on']],
    });
  }
  const isAllowed = firewallApps.get(program);
  if (isAllowed) return changes;
  const unblock = [FIREWALL_TOOL, '--unblockapp', program];
  changes.push({
    id: 'firewall-node',
    description: `let the firewall pass what comes to ${program}`,
    why: 'It drops connections to programs that it does not know, without a word.',
    needsRoot: true,
    safe: false,
    files: [],
    apply: isAllowed === undefined ? [[FIREWALL_TOOL, '--add', program], unblock] : [unblock],
    undo: [[FIREWALL_TOOL, isAllowed === undefined ? '--remove' : '--blockapp', program]],
  });
  return changes;
}
