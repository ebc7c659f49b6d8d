// What the cluster's heart knows of a draft on a node of its own, and what it is told of it. Without I/O and without a clock.
import type { DraftStats } from '../../protocol/draft.ts';
import type { HostPort } from '../../protocol/node.ts';
import type { HopPath } from '../links/hop-path.ts';
import type { IncidentOutcome } from './state.ts';

export interface DeployedDraft {
  /** the draft's own: each start has a greater one */
  epoch: number;
  /** of the deployment whose first stage it guesses for */
  stagesEpoch: number;
  nodeId: string;
  state: 'loading' | 'loaded' | 'linked';
  /** when it was begun, for the deadline */
  since: number;
  /** the measured way by which the first stage reaches it; undefined: by the address that the controller knows */
  hopPath: HopPath | undefined;
  pid: number | undefined;
  stats: DraftStats | undefined;
  /** an end of its hop said that the other one is gone: it is lost, unless the stages are */
  unlinked: { at: number; reason: string } | undefined;
}

export interface DraftState {
  running: DeployedDraft | undefined;
  /** of the last one that was begun */
  epoch: number;
  /** nodes that may have one loaded */
  readonly held: Set<string>;
  /** when drafts were lost, by node */
  readonly losses: Map<string, number[]>;
  /** no new one before this time */
  notBefore: number;
  /** numbers of the incidents that tell of losses, until one is linked again */
  incidents: number[];
  /** it was said that no node can run it */
  isMissed: boolean;
}

/** `epoch` is the draft's, and `nodeId` that of the node which tells it: a draft's own, or the first stage's. */
export type DraftInput =
  | { kind: 'draft-loaded'; nodeId: string; epoch: number; hop: HostPort; pid: number; weightBytes: number }
  | { kind: 'draft-failed'; nodeId: string; epoch: number; code: string; message: string }
  | { kind: 'draft-linked'; nodeId: string; epoch: number }
  | { kind: 'draft-unlinked'; nodeId: string; epoch: number; reason: string }
  | { kind: 'draft-stats'; nodeId: string; epoch: number; stats: DraftStats };

export function newDraftState(): DraftState {
  return {
    running: undefined,
    epoch: 0,
    held: new Set(),
    losses: new Map(),
    notBefore: 0,
    incidents: [],
    isMissed: false,
  };
}

/** Nodes that have a draft which nobody needs free its memory: also what an earlier controller left. */
export function endDrafts(
  { draft, nodes }: { draft: DraftState; nodes: ReadonlyMap<string, { connected: boolean }> },
  nodeId: string | undefined,
): { kind: 'draft-end'; nodeId: string }[] {
  const others = [...draft.held].filter((held) => held !== nodeId && nodes.get(held)?.connected);
  for (const other of others) draft.held.delete(other);
  return others.map((other) => ({ kind: 'draft-end', nodeId: other }));
}

/** The losses that are told of are over. */
export function endIncidents(
  draft: DraftState,
  done: string,
): { kind: 'incident-over'; outcome: IncidentOutcome }[] {
  const { incidents: numbers } = draft;
  if (numbers.length === 0) return [];
  draft.incidents = [];
  const pause = { planMs: undefined, loadMs: undefined, linkMs: undefined };
  return [{ kind: 'incident-over', outcome: { numbers, outcome: 'serving', done, ...pause } }];
}

/** What was lost was another model's draft: the new one's is tried anywhere, at once. */
export function forgetLosses(draft: DraftState, done: string): ReturnType<typeof endIncidents> {
  draft.losses.clear();
  draft.notBefore = 0;
  draft.isMissed = false;
  return endIncidents(draft, done);
}
