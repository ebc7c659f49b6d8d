// A step frame with some of its rows, and what is left of its hidden state then. Pure.
import type { Row } from '../engine/step.ts';
import type { StepFrame } from './frame.ts';

/** @param rows some of the frame's own, in their order */
export function withRows(frame: StepFrame, rows: readonly Row[]): StepFrame {
  const { hidden } = frame;
  if (rows.length === frame.rows.length) return frame;
  const { hidden: _, ...rest } = frame;
  if (!hidden || rows.length === 0) return { ...rest, rows: [...rows] };
  const tokens = frame.rows.reduce((sum, { count }) => sum + count, 0);
  const tokenBytes = hidden.bytes.length / tokens;
  const wanted = new Set(rows);
  let at = 0;
  const parts = frame.rows.flatMap((row) => {
    const begin = at;
    at += row.count * tokenBytes;
    return wanted.has(row) ? hidden.bytes.subarray(begin, at) : [];
  });
  return { ...rest, rows: [...rows], hidden: { ...hidden, bytes: Buffer.concat(parts) } };
}
