// Pure: all findings of one node. Each kind has a file of its own.
import { bySeverity, type Finding, type Rung } from '../../protocol/doctor.ts';
import { finding } from '../../protocol/doctor-findings.ts';
import { MAX_CHECK_FINDINGS } from '../../protocol/limits.ts';
import { firewallFindings } from './firewall-findings.ts';
import { localNetworkFindings } from './local-network.ts';
import { memoryFindings } from './memory-findings.ts';
import { networkFindings } from './network-findings.ts';
import type { NodeState } from './node-state.ts';
import { powerFindings } from './power-findings.ts';
import { rdmaFindings } from './rdma-ladder.ts';

/** MLX wires memory from this macOS on. */
const FIRST_MACOS = 15;
const NOTES_SHOWN = 3;

/** The worst first. @param ladder `rdmaLadder` of the same machine */
export function nodeFindings(state: NodeState, ladder: readonly Rung[]): Finding[] {
  const all = [
    ...localNetworkFindings(state),
    ...firewallFindings(state),
    ...memoryFindings(state),
    ...powerFindings(state),
    ...networkFindings(state),
    ...systemFindings(state),
    ...rdmaFindings(state.name, ladder),
  ];
  return bySeverity(all).slice(0, MAX_CHECK_FINDINGS);
}

function systemFindings({ name: node, machine }: NodeState): Finding[] {
  const { os, notes } = machine;
  const found: Finding[] = [];
  const major = Number(/^\d+/.exec(os.version ?? '')?.[0]);
  if (os.name === 'macOS' && major < FIRST_MACOS) {
    found.push(
      finding('system-old', {
        node,
        seen: `macOS ${os.version}`,
        remedy: `Update to macOS ${FIRST_MACOS} or later.`,
      }),
    );
  }
  if (notes.length > 0) {
    const shown = notes.slice(0, NOTES_SHOWN).map(({ source, text }) => `${source}: ${text}`);
    const more = notes.length > NOTES_SHOWN ? `, and ${notes.length - NOTES_SHOWN} more` : '';
    found.push(
      finding('facts-incomplete', {
        node,
        seen: `${shown.join('; ')}${more}`.slice(0, 900),
        remedy:
          '`espalier facts` on the node shows all of them. Where a command is missing or has changed, please report it.',
      }),
    );
  }
  return found;
}
