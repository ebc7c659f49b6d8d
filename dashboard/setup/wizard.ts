// Goes through the steps: forward, back, again after a failure, and away, keeping what is done. It must not know how the
// user is asked, nor what a step does.
import { asEspalierError, EspalierError } from '../../protocol/errors.ts';
import { afterStep, beforeStep, type SetupState, type StepId, stepsFor } from './order.ts';
import type { Step, StepContext } from './step.ts';
import { cabling } from './steps/cabling.ts';
import { deploy } from './steps/deploy.ts';
import { join } from './steps/join.ts';
import { model } from './steps/model.ts';
import { nodes } from './steps/nodes.ts';
import { pull } from './steps/pull.ts';
import { question } from './steps/question.ts';
import { role } from './steps/role.ts';
import { run } from './steps/run.ts';
import { system } from './steps/system.ts';
import { BLANK, type Line, linesOf, StepLeft, type Talk } from './talk.ts';

const STEPS: Record<StepId, Step> = {
  role,
  run,
  join,
  nodes,
  cabling,
  system,
  model,
  pull,
  deploy,
  question,
};

/** Later ones need what they bring. */
const NEEDED: readonly StepId[] = ['role', 'run'];

export interface WizardOptions extends Omit<StepContext, 'answers'> {
  state: SetupState;
  /** this step alone */
  only?: StepId | undefined;
  /** called after each step */
  save(state: SetupState): void;
  /** which step begins, of which */
  onStep(step: StepId, steps: readonly StepId[]): void;
}

/**
 * @returns 'done' when nothing is left, 'left' when the user went away
 * @throws what a step throws, where nobody can be asked what to do about it
 */
export async function runWizard(options: WizardOptions): Promise<'done' | 'left'> {
  const { only, save, onStep } = options;
  let state = only === undefined ? options.state : { ...options.state, at: only };
  while (state.at !== null) {
    const step = state.at;
    onStep(step, stepsFor(state.answers.role));
    const way = await oneStep(step, state, options);
    if (way === 'leave') return 'left';
    if (way === 'again') continue;
    if (only !== undefined) {
      // where the wizard goes on is not changed by a step on its own
      if (typeof way === 'object') save({ ...options.state, answers: way.answers });
      return way === 'back' ? 'left' : 'done';
    }
    if (way === 'back') state = beforeStep(state, step);
    else if (way === 'skip') state = afterStep(state, step, state.answers, false);
    else state = afterStep(state, step, way.answers);
    save(state);
  }
  return 'done';
}

type Way = 'leave' | 'again' | 'back' | 'skip' | { answers: SetupState['answers'] };

async function oneStep(step: StepId, state: SetupState, options: WizardOptions): Promise<Way> {
  const { talk, actions, flags } = options;
  try {
    return { answers: await STEPS[step]({ talk, actions, flags, answers: state.answers }) };
  } catch (error) {
    if (error instanceof StepLeft) return error.way;
    if (talk.isUnattended) throw error;
    return await afterFailure(step, error, talk);
  }
}

async function afterFailure(step: StepId, error: unknown, talk: Talk): Promise<Way> {
  talk.show(failureLines(error));
  const mayPass = !NEEDED.includes(step);
  try {
    const chosen = await talk.choose({
      question: 'This step did not work. What now?',
      options: [
        { value: 'again', label: 'try again' },
        ...(mayPass ? [{ value: 'skip', label: 'go on without it' }] : []),
        { value: 'back', label: 'go back' },
        { value: 'leave', label: 'leave; `espalier setup` goes on here' },
      ],
      initial: 'again',
    });
    return chosen === 'skip' || chosen === 'back' || chosen === 'leave' ? chosen : 'again';
  } catch (left) {
    if (left instanceof StepLeft) return left.way;
    throw left;
  }
}

/** Why it failed, and what to do. */
function failureLines(error: unknown): Line[] {
  const message = error instanceof Error ? error.message : String(error);
  const lines = linesOf(message.split('\n'), 'bad');
  // the API's own words say what to do already
  const isOurs = error instanceof EspalierError || !(error instanceof Error && error.name === 'ApiError');
  return isOurs ? [...lines, BLANK, { text: `→ ${asEspalierError(error).solve}` }] : lines;
}
