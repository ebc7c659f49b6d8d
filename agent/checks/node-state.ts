// What the checks of a node look at: its facts, and what only the checks need to know. It must not know how it is found out.
import type { MachineFacts } from '../../protocol/facts.ts';
import type { FirewallState } from './firewall.ts';
import type { ReachVerdict } from './local-network.ts';

export interface NodeState {
  /** for people */
  name: string;
  machine: MachineFacts;
  /** of the disk that holds ESPALIER_HOME; null when it could not be asked */
  disk: { path: string; freeBytes: number; totalBytes: number } | null;
  /** null off macOS, and when it did not answer */
  firewall: FirewallState | null;
  /** null off macOS, and when it did not answer */
  isDiskEncrypted: boolean | null;
  /** whether this very process may talk to the local network */
  localNetwork: ReachVerdict;
}
