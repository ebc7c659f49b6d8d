// The words of the engine: a step's rows, the sessions that they belong to, and what a stage's model offers.
import type { Sampling } from '../../protocol/generate.ts';
import type { Tensor } from './mlx.ts';

/** One row of a step: `count` tokens of one session, the first at `position`. */
export interface Row {
  session: number;
  position: number;
  count: number;
  /** whether the last stage draws the token that follows this row's last one */
  sample: boolean;
}

/** What changes in the sessions before a step's rows are computed; the same in every stage, in frame order. */
export type SessionOp =
  | {
      op: 'open';
      session: number;
      requestId: string;
      sampling: Sampling;
      maxTokens: number;
      stopIds: number[];
      /** the distinct token ids of the prompt, ascending; only where a repetition penalty needs them at the tail */
      promptIds?: number[] | undefined;
    }
  | { op: 'drop'; session: number };

export interface Step {
  step: number;
  ops: SessionOp[];
  rows: Row[];
}

export function tokenCount(rows: readonly Row[]): number {
  return rows.reduce((sum, row) => sum + row.count, 0);
}

/** The layers of one stage, made by an architecture's file under models/. */
export interface StageModel {
  readonly layerCount: number;
  /** first stage only: token ids, uint32 [tokens] → [tokens, hidden] */
  embed(ids: Tensor): Tensor;
  /** what all layers of a step share (rotations, masks) */
  prepare(rows: readonly Row[]): unknown;
  /** one layer of this stage, counted from 0: [tokens, hidden] → [tokens, hidden]; writes the sessions' KV */
  layer(index: number, hidden: Tensor, prepared: unknown): Tensor;
  /** last stage only: [rows, hidden] → [rows, vocabulary] */
  head(hidden: Tensor): Tensor;
  /** forgets a session's KV */
  drop(session: number): void;
  /** the KV tensors that a step with these rows has written in a layer */
  written(index: number, rows: readonly Row[]): Tensor[];
  readonly kvByteLength: number;
}
