// Which files of a model each node is to hold: those with its layers, what every stage needs, and copies for when a node
// dies. Pure. A weights file is copied whole: where it holds layers of two stages, both nodes get it.
import { isWeightsFile, type ModelFile } from '../../protocol/models.ts';
import type { EngineName, LayerRange } from '../../protocol/plan.ts';

const LAYER = /^model\.layers\.(\d+)\./;
const EMBEDDING = 'model.embed_tokens.';

/** What is known of a model's files from its index. */
export interface FileMap {
  files: readonly ModelFile[];
  /** the file of each tensor */
  fileOf: ReadonlyMap<string, string>;
  layerCount: number;
  /** the last stage reads the embedding, too */
  isHeadTied: boolean;
}

export interface NodeNeeds {
  nodeId: string;
  files: ModelFile[];
}

/** What of a plan decides who needs which files. */
export interface PlanOfFiles {
  engine: EngineName;
  /** in order */
  stages: readonly { nodeId: string; range: LayerRange }[];
}

/**
 * @param others nodes without a stage, which may hold copies
 * @param replicas nodes that hold each file, at least; as many as there are where they are fewer
 */
export function planNeeds(
  map: FileMap,
  { engine, stages }: PlanOfFiles,
  others: readonly string[],
  replicas: number,
): NodeNeeds[] {
  const holders = new Map<string, Set<string>>();
  for (const { nodeId, range } of stages) {
    for (const path of stageFiles(map, range, engine))
      holders.set(path, (holders.get(path) ?? new Set<string>()).add(nodeId));
  }
  const order = [...stages.map(({ nodeId }) => nodeId), ...others];
  for (const nodes of holders.values()) addReplicas(nodes, order, replicas);
  return order.flatMap((nodeId) => {
    const files = map.files.filter(({ path }) => holders.get(path)?.has(nodeId));
    return files.length > 0 ? [{ nodeId, files }] : [];
  });
}

/** The names of the files that a stage opens. MLX's ranks hold embedding, norm and head each, wherever their layers are. */
export function stageFiles(
  { files, fileOf, layerCount, isHeadTied }: FileMap,
  range: LayerRange,
  engine: EngineName,
): Set<string> {
  const isRank = engine === 'mlx-distributed';
  const isLast = isRank || range.end === layerCount;
  const needed = new Set(files.filter(({ path }) => !isWeightsFile(path)).map(({ path }) => path));
  for (const [tensor, path] of fileOf) {
    const layer = LAYER.exec(tensor)?.[1];
    if (layer !== undefined) {
      if (Number(layer) >= range.start && Number(layer) < range.end) needed.add(path);
    } else if (tensor.startsWith(EMBEDDING)) {
      if (isRank || range.start === 0 || (isLast && isHeadTied)) needed.add(path);
    } else if (isLast) needed.add(path);
  }
  return needed;
}

/** Copies go to the neighbours in the plan: when a node dies, they take its layers. */
function addReplicas(holders: Set<string>, order: readonly string[], replicas: number): void {
  const at = order.findIndex((nodeId) => holders.has(nodeId));
  for (let distance = 1; holders.size < replicas && distance < order.length; distance += 1) {
    for (const index of [at + distance, at - distance]) {
      const nodeId = order[(index + order.length) % order.length];
      if (nodeId !== undefined && holders.size < replicas) holders.add(nodeId);
    }
  }
}
