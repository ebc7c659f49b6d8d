// The words of speculation: how guessing is chosen, and what is told of guesses. Guesses never change a text.
import { z } from 'zod';
import { DraftPlace } from './plan.ts';

/** off: none · ngram: from the text so far · draft: by a small model · auto: by whatever there is, the best one first */
export const SpeculationMode = z.enum(['off', 'ngram', 'draft', 'auto']);
export type SpeculationMode = z.infer<typeof SpeculationMode>;

/** To be asked for: on the CPU here it costs a stream nothing where guesses fail, on Macs that was never measured. */
export const DEFAULT_SPECULATION: SpeculationMode = 'off';

/**
 * The shares of right guesses that plans assume before any are measured (estimates): of the demo model's reference answers
 * n-grams guess a quarter, and drafts of a model's own family more than two thirds.
 */
export const NGRAM_YIELD = 0.25;
export const DRAFT_YIELD = 0.7;

export const GuessSourceName = z.enum(['ngram', 'draft']);
export type GuessSourceName = z.infer<typeof GuessSourceName>;

/** What a deployment guesses with. */
export const SpeculationSpec = z.object({
  mode: SpeculationMode,
  /** the draft's folder in MLX format, on the disk of the node that runs it; undefined for no draft */
  draftDir: z.string().min(1).optional(),
  /** sha256 over its config.json and its weights' headers */
  draftFingerprint: z.string().optional(),
  /** where it runs; left out: beside the first stage */
  draftPlace: DraftPlace.optional(),
  /** tokens of KV that the draft has room for; longer texts are guessed by others */
  draftKvTokens: z.int().min(1).optional(),
});
export type SpeculationSpec = z.infer<typeof SpeculationSpec>;

/** Guesses of one request, as far as they are judged. */
export const RequestGuesses = z.object({
  /** rows that were sent with a guessed token */
  sent: z.int().min(0),
  /** of these, those that were right, each of which saved a token's way through the stages */
  kept: z.int().min(0),
  /** where the last one came from */
  source: GuessSourceName.nullable(),
  /** measured: the time of a token without guesses over that with them; null where either was not measured */
  gain: z.number().positive().nullable(),
});
export type RequestGuesses = z.infer<typeof RequestGuesses>;

/** Guesses of one source. */
export const GuessTotal = z.object({
  source: GuessSourceName,
  sent: z.int().min(0),
  kept: z.int().min(0),
  /** those that met a drawn token: the others went with a wrong one before them. kept / judged is the yield */
  judged: z.int().min(0),
});
export type GuessTotal = z.infer<typeof GuessTotal>;

/** What the first stage tells of its guesses. */
export const GuessStats = z.object({
  /** since the deployment, by source */
  totals: z.array(GuessTotal),
  /** of the requests that run now */
  requests: z.array(RequestGuesses.extend({ requestId: z.string() })),
  /** what a guess of the draft took lately, as whoever asks for it sees it; null before there were any */
  draftGuessMs: z.number().positive().nullish(),
});
export type GuessStats = z.infer<typeof GuessStats>;
