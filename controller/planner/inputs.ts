// What a plan is made from: nodes, the links between them, what is asked for, and what is pinned. Types only; where the
// values come from (agents, a table, a text) is not known here.
import type {
  DraftPlace,
  EngineChoice,
  Goal,
  LayerKind,
  Link,
  ModelCard,
  Source,
} from '../../protocol/plan.ts';
import type { Split } from '../../protocol/ranks.ts';

/** Measured times of one layer on a node, with one model's shape and quantization. */
export interface LayerTimes {
  /** one step with one row */
  decodeMs?: number | undefined;
  /** a token of a full chunk with nothing before it */
  prefillMsPerToken?: number | undefined;
}

export type MeasuredLayers = { [kind in LayerKind]?: LayerTimes | undefined };

/** Measured times of one guess of a draft on a node; it is known by its weights. */
export interface MeasuredDraft {
  weightBytes: number;
  guessMs: number;
}

export interface PlannerNode {
  id: string;
  name: string;
  /** shown to people: `M2 Ultra`, or what the operating system calls the processor */
  chip: string;
  memoryBytes: number;
  /** of these, what weights, KV and scratch may take: the GPU's limit on a Mac */
  usableBytes: number;
  usableSource: Source;
  /** memory bandwidth as its maker states it */
  bandwidthGBps: number;
  /** floating point operations of the GPU (or of the CPU, where the engine runs there), 10^12 a second */
  computeTflops: number;
  /** bytes of one number of KV, hidden state and scores: 2 on Metal, 4 on the CPU */
  valueBytes: number;
  /** measured on this node (or on one with the same chip) for this model; they come before the estimates */
  measured?: MeasuredLayers | undefined;
  /** the same of the draft */
  measuredDraft?: MeasuredDraft | undefined;
}

export type NodePair = readonly [nodeId: string, nodeId: string];

/** A link between two nodes, the same in both directions. There may be several between the same two. */
export interface NodeLink {
  between: NodePair;
  link: Link;
}

export interface PlanPins {
  /** ids of exactly the nodes to use, first stage first */
  nodes?: readonly string[] | undefined;
  /** layers of each stage in turn */
  layers?: readonly number[] | undefined;
  /** ids of nodes to leave out */
  exclude?: readonly string[] | undefined;
}

/** What a plan's engine may be. */
export interface EngineWish {
  choice: EngineChoice;
  /** of MLX Distributed; undefined: whichever is predicted to be faster */
  split?: Split | undefined;
  /** ids of the nodes that have MLX Distributed */
  readyNodes: readonly string[];
}

export interface PlanRequest {
  card: ModelCard;
  nodes: readonly PlannerNode[];
  links: readonly NodeLink[];
  /** between nodes without a link of their own; undefined: such nodes cannot be neighbours */
  otherLink: Link | undefined;
  /** nodes between which there is no link, not even that one: they were measured, and do not reach one another */
  unlinked?: readonly NodePair[] | undefined;
  goal: Goal;
  /** KV for `streams` conversations of `contextTokens` each must fit on every stage */
  contextTokens: number;
  streams: number;
  /** the share of guesses that is taken to be right: what one stream gains by them counts for latency; default 0 */
  guessYield?: number | undefined;
  /** no more stages than this */
  maxStages?: number | undefined;
  pins?: PlanPins | undefined;
  /** where a draft runs; undefined: wherever one stream is predicted to be faster with it */
  draftPlace?: DraftPlace | undefined;
  /** undefined: node-mlx */
  engine?: EngineWish | undefined;
}
