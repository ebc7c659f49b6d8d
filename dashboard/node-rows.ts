// The table of nodes as data, pure: every stage in the pipeline's order, then the nodes that have none.
import type { ClusterStatus, NodeStatus, StageStatus } from '../protocol/status.ts';

/** linked, loaded, loading, failed: a stage's state · lost: its node is gone · spare: a node without a stage */
export type RowState = StageStatus['state'] | 'lost' | 'spare';

export interface NodeRow {
  key: string;
  name: string;
  state: RowState;
  /** null for a node without a stage */
  stage: StageStatus | null;
  /** null where the controller names a stage's node but no longer lists it */
  node: NodeStatus | null;
  /** the draft, where it has a process of its own on this node */
  draft?: NonNullable<ClusterStatus['draft']>;
}

const SPARE_ORDER: readonly RowState[] = ['spare', 'lost'];

/** One row for each stage by its index, then connected nodes without a stage, then lost ones, each by name. */
export function nodeRows(status: ClusterStatus): NodeRow[] {
  const byId = new Map(status.nodes.map((node) => [node.id, node]));
  const stages = [...status.stages].sort((a, b) => a.index - b.index);
  const used = new Set(stages.map((stage) => stage.nodeId));
  const withStage = stages.map((stage): NodeRow => {
    const node = byId.get(stage.nodeId) ?? null;
    const state = node === null || node.state === 'lost' ? 'lost' : stage.state;
    return { key: `stage ${stage.index}`, name: stage.node, state, stage, node };
  });
  const withoutStage = status.nodes
    .filter((node) => !used.has(node.id))
    .map((node): NodeRow => {
      const state = node.state === 'lost' ? 'lost' : 'spare';
      return { key: `node ${node.id}`, name: node.name, state, stage: null, node };
    })
    .sort(
      (a, b) =>
        SPARE_ORDER.indexOf(a.state) - SPARE_ORDER.indexOf(b.state) || a.name.localeCompare(b.name, 'en'),
    );
  const { draft } = status;
  const isThere = ({ node, stage }: NodeRow) =>
    draft?.place === 'apart' && draft.nodeId === (node?.id ?? stage?.nodeId);
  return [...withStage, ...withoutStage].map((row) => (draft && isThere(row) ? { ...row, draft } : row));
}
