// Everything that should be changed on a Mac that is to be a node, from its facts and settings: the one place from which doctor,
// its --fix and the wizard have it. Pure; nothing is changed here.
import type { Fix } from '../../../protocol/doctor.ts';
import type { MachineFacts } from '../../../protocol/facts.ts';
import { changeFolder } from '../../../protocol/system-change.ts';
import { firewallChanges } from './firewall.ts';
import type { DaemonNow } from './launch-daemon.ts';
import type { MacSettings } from './mac-settings.ts';
import { powerChanges } from './power.ts';
import { addressChanges, BRIDGE_LABEL, bridgeChange } from './thunderbolt.ts';
import { WIRED_LIMIT_LABEL, wiredLimitChange } from './wired-limit.ts';

/** The LaunchDaemons that a change may put in place. */
export const CHANGE_LABELS = [WIRED_LIMIT_LABEL, BRIDGE_LABEL] as const;

/** What is asked of a Mac before anything is proposed, beyond its facts. */
export interface MacNow {
  settings: MacSettings;
  /** what is at the places of our daemons, by label */
  daemons: Readonly<Record<(typeof CHANGE_LABELS)[number], DaemonNow>>;
}

export interface ProposalInputs extends MacNow {
  facts: MachineFacts;
  /** ESPALIER_HOME */
  home: string;
  /** the Node that runs the agent, as an absolute path */
  nodePath: string;
}

/** In the order in which they are to be made: the network last, because it may cut a connection for a moment. */
export function proposedChanges({ facts, settings, daemons, home, nodePath }: ProposalInputs): Fix[] {
  const limit = { facts, wiredLimit: settings.wiredLimit };
  const wired = wiredLimitChange(limit, daemons[WIRED_LIMIT_LABEL], changeFolder(home, 'wired-limit'));
  const bridge = bridgeChange(facts, daemons[BRIDGE_LABEL], changeFolder(home, 'thunderbolt-bridge'));
  return [
    ...powerChanges(settings),
    ...(wired ? [wired] : []),
    ...firewallChanges(settings, nodePath),
    ...(bridge ? [bridge] : []),
    ...addressChanges(facts),
  ];
}
