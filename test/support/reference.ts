// The reference cases of the demo model: what mlx-lm answers, greedy, in float32.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fixturesDir } from './paths.ts';

const Reference = z.object({
  cases: z.array(
    z.object({
      kind: z.string(),
      messages: z.array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })),
      prompt_ids: z.array(z.int()),
      greedy_ids: z.array(z.int()),
      text: z.string(),
      expected_answer: z.string(),
      correct: z.boolean(),
      last_prompt_logits: z.array(z.number()).nullish(),
    }),
  ),
});
export type ReferenceCase = z.infer<typeof Reference>['cases'][number];

export const referenceCases: ReferenceCase[] = Reference.parse(
  JSON.parse(readFileSync(join(fixturesDir, 'demo-model', 'reference.json'), 'utf8')),
).cases;
