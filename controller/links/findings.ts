// Pure: what the facts of the nodes and the measured links tell that a person can mend. Each finding has its fix, and an
// id that stays the same while it is the same thing.
import type { LinkFinding } from '../../protocol/links.ts';
import { cableFindings } from './cable-findings.ts';
import type { LinkNode } from './candidates.ts';
import type { HopPath } from './hop-path.ts';
import type { PairState } from './pair-state.ts';
import { pathFindings } from './path-findings.ts';
import { reachFindings } from './reach-findings.ts';

export interface LinkView {
  nodes: readonly LinkNode[];
  pairs: readonly PairState[];
  /** the ways that the hops of the present deployment take, as they were measured when it was planned */
  hops: readonly HopPath[];
}

const ORDER = { error: 0, warn: 1, info: 2 } as const;

/** The worst first; of each kind in the order of the nodes. */
export function findings(view: LinkView): LinkFinding[] {
  const all = [...reachFindings(view), ...pathFindings(view), ...cableFindings(view)];
  return all.sort((x, y) => ORDER[x.severity] - ORDER[y.severity]);
}
