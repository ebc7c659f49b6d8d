// What the checks of a node look at: its facts, and what only the checks need to know. It must not know how it is found out.
import type { Fix } from '../../protocol/doctor.ts';
import type { MachineFacts } from '../../protocol/facts.ts';
import type { MacSettings } from './changes/mac-settings.ts';
import type { ReachVerdict } from './local-network.ts';

export interface NodeState {
  /** for people */
  name: string;
  machine: MachineFacts;
  /** of the disk that holds ESPALIER_HOME; null when it could not be asked */
  disk: { path: string; freeBytes: number; totalBytes: number } | null;
  /** null off macOS, and when they could not be read */
  settings: MacSettings | null;
  /** what should be changed there; none where the settings are not known */
  changes: readonly Fix[];
  /** the Node.js that runs the agent, as an absolute path */
  program: string;
  /** null off macOS, and when it did not answer */
  isDiskEncrypted: boolean | null;
  /** whether this very process may talk to the local network */
  localNetwork: ReachVerdict;
}

/** What mends a finding: those of the changes with these ids that are proposed here. */
export function fixesOf({ changes }: NodeState, ...ids: readonly string[]): Fix[] {
  return changes.filter(({ id }) => ids.includes(id));
}
