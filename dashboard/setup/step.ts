// What every step of the wizard is given and gives back.
import type { SetupActions, SetupFlags } from './actions.ts';
import type { SetupAnswers } from './order.ts';
import type { Talk } from './talk.ts';

export interface StepContext {
  talk: Talk;
  actions: SetupActions;
  flags: SetupFlags;
  answers: SetupAnswers;
}

/**
 * @returns the answers with what was chosen
 * @throws StepLeft; EspalierError or the API's words, which the wizard shows with a way on
 */
export type Step = (context: StepContext) => Promise<SetupAnswers>;
