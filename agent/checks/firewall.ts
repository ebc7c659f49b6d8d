// macOS's application firewall: `socketfilterfw --getglobalstate` and `--getappblocked`. Parsers, and what there is to mend.
import type { Finding } from '../../protocol/doctor.ts';
import { finding } from '../../protocol/doctor-findings.ts';
import type { NodeState } from './node-state.ts';

export const SOCKET_FILTER = '/usr/libexec/ApplicationFirewall/socketfilterfw';

export interface FirewallState {
  /** `blocks-all`: nothing comes in, whatever is listed */
  state: 'off' | 'on' | 'blocks-all';
  /** the Node.js that was asked about */
  program: string;
  /** what the list says of it; null when it is not listed, or when it did not say */
  isProgramBlocked: boolean | null;
}

/** `Firewall is enabled. (State = 1)`; null for anything else. */
export function parseFirewallState(text: string): FirewallState['state'] | null {
  const number = /\(State = (\d)\)/.exec(text.slice(0, 10_000))?.[1];
  return (
    ({ '0': 'off', '1': 'on', '2': 'blocks-all' }[number ?? ''] as FirewallState['state'] | undefined) ?? null
  );
}

/** macOS's words for it have changed over the years: only a clear one counts. */
export function parseProgramBlocked(text: string): boolean | null {
  const shown = text.slice(0, 10_000);
  if (/not part of|not in the list/i.test(shown)) return null;
  if (/\b(?:permitted|allowed|allow|unblocked)\b/i.test(shown)) return false;
  return /\b(?:blocked|block)\b/i.test(shown) ? true : null;
}

export function firewallFindings({ name: node, firewall }: NodeState): Finding[] {
  if (!firewall || firewall.state === 'off') return [];
  const { program, isProgramBlocked } = firewall;
  if (firewall.state === 'blocks-all') {
    return [
      finding('firewall-blocks-all', {
        node,
        seen: 'the firewall blocks all incoming connections (State = 2)',
        remedy:
          'System Settings → Network → Firewall → Options, and switch off Block all incoming connections.',
        fix: {
          description: 'Lets the firewall go by its list of programs again.',
          apply: [[SOCKET_FILTER, '--setblockall', 'off']],
          undo: [[SOCKET_FILTER, '--setblockall', 'on']],
          needsRoot: true,
          safe: false, // it opens the Mac to others
        },
      }),
    ];
  }
  if (isProgramBlocked === false) return [];
  const fix = {
    description: `Lets connections to ${program} in.`,
    apply: [
      [SOCKET_FILTER, '--add', program],
      [SOCKET_FILTER, '--unblockapp', program],
    ],
    undo:
      isProgramBlocked === null
        ? [[SOCKET_FILTER, '--remove', program]]
        : [[SOCKET_FILTER, '--blockapp', program]],
    needsRoot: true,
    safe: false, // it opens the Mac to others
  };
  const remedy = 'System Settings → Network → Firewall → Options, and allow incoming connections for node.';
  return [
    isProgramBlocked
      ? finding('firewall-blocks-node', { node, seen: `the firewall blocks ${program}`, remedy, fix })
      : finding('firewall-on', {
          node,
          seen: `the firewall is on, and does not list ${program}`,
          remedy: `${remedy} Nothing needs to be done where \`espalier links\` shows a path to this node.`,
          fix,
        }),
  ];
}
