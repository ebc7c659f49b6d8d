// What a bench says: figures, each a ratio within one run wherever it can be one, with its aim and what was compared.
import { z } from 'zod';

export const Figure = z.object({
  suite: z.string(),
  name: z.string(),
  value: z.number(),
  unit: z.string(),
  /** e.g. `>= 0.9`; null for a figure that is only told */
  aim: z
    .string()
    .regex(/^(>=|<=) [\d.]+$/)
    .nullable(),
  /** null without an aim */
  holds: z.boolean().nullable(),
  /** what against what, how often, on what */
  compared: z.string(),
});
export type Figure = z.infer<typeof Figure>;

export const Machine = z.object({
  platform: z.string(),
  processor: z.string(),
  cores: z.int(),
  memoryBytes: z.number(),
  node: z.string(),
});
export type Machine = z.infer<typeof Machine>;

export interface SuiteContext {
  /** where progress goes, a line at a time */
  say: (line: string) => void;
  /** how often each comparison is made; each has a number of its own when left out */
  rounds?: number | undefined;
}

/** A suite measures and tells its figures. */
export type Suite = (context: SuiteContext) => Promise<Figure[]>;

/** A figure with its verdict. */
export function figure(of: Omit<Figure, 'holds'>): Figure {
  const [sign, number] = of.aim?.split(' ') ?? [];
  const bound = Number(number);
  const holds = sign === undefined ? null : sign === '>=' ? of.value >= bound : of.value <= bound;
  return { ...of, holds };
}

/** @param values at least one */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}
