// The words of the engine: a step's rows, the sessions that they belong to, and what a stage's model offers.
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Grammar, Sampling } from '../../protocol/generate.ts';
import type { Tensor } from './mlx.ts';

/** From this many tokens on, a step is computed layer by layer, which keeps the peak memory at one layer's. */
export const LAYERWISE_FROM_TOKENS = 16;

/** One row of a step: `count` tokens of one session, the first at `position`. */
export interface Row {
  session: number;
  position: number;
  count: number;
  /** whether the last stage draws the token that follows this row's last one */
  sample: boolean;
  /**
   * The token that the row is computed with, where nobody has drawn it yet: a guess, always a row of one token that
   * samples. It counts only if the draw before it gives this token; otherwise the row is as if it had never been sent.
   */
  guess?: number | undefined;
}

/** Where a new session's first tokens come from: KV that the stages hold already. */
export interface SessionSource {
  session: number;
  /** tokens that both share */
  length: number;
  /** whether the source ends with this: its KV becomes the new session's, without a copy */
  take: boolean;
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
      /** what the answer must be; only the tail needs it */
      grammar?: Grammar | undefined;
      /** the distinct token ids of the prompt, ascending; only where a repetition penalty needs them at the tail */
      promptIds?: number[] | undefined;
      /**
       * where its answer began on an earlier deployment: how many tokens it has, and how often each of them, ascending; the
       * latter only where a penalty needs it
       */
      generated?:
        | {
            count: number;
            counts?: [id: number, count: number][] | undefined;
            /** its tokens, only where a grammar needs them */
            ids?: number[] | undefined;
          }
        | undefined;
      from?: SessionSource | undefined;
    }
  /** the request is over, its KV stays for another one that begins alike */
  | { op: 'keep'; session: number }
  /** the session forgets its KV from `length` on; its request goes on */
  | { op: 'trim'; session: number; length: number }
  | { op: 'drop'; session: number }
  /** the first operation of a deployment that goes on with the KV of the one before: nothing is kept but this */
  | { op: 'sync'; sessions: KeptLength[] }
  /** a stage before this one could not compute the session: nobody computes it any more, and the last stage says why */
  | { op: 'fail'; session: number; code: ErrorCode; message: string };

/** An operation on one session. */
export type OneSessionOp = Exclude<SessionOp, { op: 'sync' }>;

/** A session that is kept, and how many of its tokens. */
export interface KeptLength {
  session: number;
  length: number;
}

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
  /** gives a new session the first tokens of another one's KV; with `take` the other one loses it */
  adopt(session: number, source: SessionSource): void;
  /** forgets a session's KV from `length` on */
  trim(session: number, length: number): void;
  /** the KV tensors that a step with these rows has written in a layer */
  written(index: number, rows: readonly Row[]): Tensor[];
  readonly kvByteLength: number;
}
