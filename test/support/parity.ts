// The parity fixtures: small random models, and what mlx-lm answers with them (made by scripts/parity).
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fixturesDir } from './paths.ts';

const folder = join(fixturesDir, 'parity');

const Reference = z.object({
  cases: z
    .array(
      z.object({
        prompt_ids: z.array(z.int()).min(1),
        last_prompt_logits: z.array(z.number()),
        greedy_ids: z.array(z.int()).min(1),
      }),
    )
    .min(1),
});
export type ParityCase = z.infer<typeof Reference>['cases'][number];

const Rope = z.array(
  z.object({
    name: z.string(),
    dims: z.int(),
    base: z.number(),
    pairs: z.enum(['neighbours', 'halves']),
    scaling: z.unknown(),
    x: z.array(z.number()),
    positions: z.array(z.int()),
    /** x at each position */
    rotated: z.array(z.array(z.number())),
  }),
);

export interface ParityModel {
  name: string;
  dir: string;
  layers: number;
  cases: ParityCase[];
}

function readJson(...path: string[]): unknown {
  return JSON.parse(readFileSync(join(folder, ...path), 'utf8'));
}

export const parityModels: ParityModel[] = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => ({
    name,
    dir: join(folder, name),
    layers: z.object({ num_hidden_layers: z.int() }).parse(readJson(name, 'config.json')).num_hidden_layers,
    cases: Reference.parse(readJson(name, 'reference.json')).cases,
  }));

export const ropeCases: z.infer<typeof Rope> = Rope.parse(readJson('rope.json'));
