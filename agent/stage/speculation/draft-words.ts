// What the first stage and a draft on another node say to each other. The first stage tells texts, and how far they may be
// guessed; the draft tells its guesses one by one, and goes on behind them until it hears of another text.
import { z } from 'zod';
import { Sampling } from '../../../protocol/generate.ts';
import { MAX_DRAFT_IDS } from '../../../protocol/limits.ts';

const Session = z.int().min(0).max(0xffffffff);
const Place = z.int().min(0);
const Ids = z.array(z.int().min(0)).max(MAX_DRAFT_IDS);

/** Of a request's sampling, what a draft draws with. */
export const DraftSampling = Sampling.pick({
  temperature: true,
  topP: true,
  seed: true,
  topK: true,
  minP: true,
});
export type DraftSampling = z.infer<typeof DraftSampling>;

export const DraftWord = z.discriminatedUnion('say', [
  /** to the draft: a session's text is this from place `at` on; what was there is wrong */
  z.object({
    say: z.literal('text'),
    session: Session,
    /** counts the texts of a session: a guess that names an earlier one is of no use */
    turn: z.int().min(1),
    at: Place,
    ids: Ids,
    /** of the whole text, so many were drawn; the others are guesses on their way */
    drawn: Place,
    /** guesses are wanted up to this place */
    until: Place,
    /** with the first one of a session */
    open: z.object({ promptTokens: z.int().min(1), sampling: DraftSampling }).optional(),
  }),
  /** to the draft: the session is over */
  z.object({ say: z.literal('forget'), session: Session }),
  /** from the draft: what follows at this place; no ids where it has no idea, now and later */
  z.object({ say: z.literal('guess'), session: Session, turn: z.int().min(1), at: Place, ids: Ids }),
]);
export type DraftWord = z.infer<typeof DraftWord>;
export type TextWord = DraftWord & { say: 'text' };
export type GuessWord = DraftWord & { say: 'guess' };
