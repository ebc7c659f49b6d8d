// Pure: findings about macOS's application firewall.
import type { Finding } from '../../protocol/doctor.ts';
import { finding } from '../../protocol/doctor-findings.ts';
import { fixesOf, type NodeState } from './node-state.ts';

export function firewallFindings(state: NodeState): Finding[] {
  const { name: node, settings, program } = state;
  if (settings === null || settings.firewall === null || settings.firewall === 'off') return [];
  const found: Finding[] = [];
  if (settings.firewall === 'blocks-all') {
    found.push(
      finding('firewall-blocks-all', {
        node,
        seen: 'the firewall blocks all incoming connections (State = 2)',
        remedy:
          'System Settings → Network → Firewall → Options, and switch off Block all incoming connections.',
        fixes: fixesOf(state, 'firewall-block-all'),
      }),
    );
  }
  const isAllowed = settings.firewallApps.get(program);
  if (isAllowed) return found;
  const remedy = 'System Settings → Network → Firewall → Options, and allow incoming connections for node.';
  const fixes = fixesOf(state, 'firewall-node');
  found.push(
    isAllowed === false
      ? finding('firewall-blocks-node', { node, seen: `the firewall blocks ${program}`, remedy, fixes })
      : finding('firewall-on', {
          node,
          seen: `the firewall is on, and does not list ${program}`,
          remedy: `${remedy} Nothing needs to be done where \`espalier links\` shows a path to this node.`,
          fixes,
        }),
  );
  return found;
}
