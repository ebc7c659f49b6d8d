// Everything that should be changed on a Mac that is to be a node, from its facts and settings. Pure; nothing is changed here.
import { join } from 'node:path';
import type { MachineFacts } from '../../../protocol/facts.ts';
import type { SystemChange } from '../../../protocol/system-change.ts';
import { firewallChanges } from './firewall.ts';
import type { DaemonNow } from './launch-daemon.ts';
import type { MacSettings } from './mac-settings.ts';
import { powerChanges } from './power.ts';
import { addressChanges, BRIDGE_LABEL, bridgeChange } from './thunderbolt.ts';
import { WIRED_LIMIT_LABEL, wiredLimitChange } from './wired-limit.ts';

/** The LaunchDaemons that a change may put in place. */
export const CHANGE_LABELS = [WIRED_LIMIT_LABEL, BRIDGE_LABEL] as const;

export interface ProposalInputs {
  facts: MachineFacts;
  settings: MacSettings;
  /** what is at the places of our daemons now, by label */
  daemons: Readonly<Record<(typeof CHANGE_LABELS)[number], DaemonNow>>;
  /** ESPALIER_HOME */
  home: string;
  /** the Node that runs the agent, as an absolute path */
  nodePath: string;
}

/** In the order in which they are to be made: the network last, because it may cut a connection for a moment. */
export function proposedChanges({
  facts,
  settings,
  daemons,
  home,
  nodePath,
}: ProposalInputs): SystemChange[] {
  const folder = (id: string) => join(home, 'system-changes', id);
  const { memoryBytes, gpuMemoryLimit } = facts;
  const wired = wiredLimitChange({
    memoryBytes,
    limit: gpuMemoryLimit,
    wiredLimit: settings.wiredLimit,
    daemon: daemons[WIRED_LIMIT_LABEL],
    folder: folder('wired-limit'),
  });
  const bridge = bridgeChange(facts, daemons[BRIDGE_LABEL], folder('thunderbolt-bridge'));
  return [
    ...powerChanges(settings.acPower),
    ...(wired ? [wired] : []),
    ...firewallChanges(settings, nodePath),
    ...(bridge ? [bridge] : []),
    ...addressChanges(facts),
  ];
}
