// The order of the wizard's steps, pure: which there are for a role, which comes next, and what was left. It must not know
// what happens in any step.
import { z } from 'zod';

export const SetupRole = z.enum(['controller', 'node']);
export type SetupRole = z.infer<typeof SetupRole>;

export const StepId = z.enum([
  'role',
  'run',
  'join',
  'nodes',
  'cabling',
  'system',
  'model',
  'pull',
  'deploy',
  'question',
]);
export type StepId = z.infer<typeof StepId>;

export const STEP_TITLES: Record<StepId, string> = {
  role: 'What this machine is to be',
  run: 'Keep Espalier running',
  join: 'Join a cluster',
  nodes: 'Find the other machines',
  cabling: 'The cables between them',
  system: 'Settings of this machine',
  model: 'Choose a model',
  pull: 'Bring it to the nodes',
  deploy: 'Deploy it',
  question: 'The first question',
};

const STEPS: Record<SetupRole, readonly StepId[]> = {
  controller: ['role', 'run', 'nodes', 'cabling', 'system', 'model', 'pull', 'deploy', 'question'],
  node: ['role', 'run', 'join', 'system'],
};

/** What was chosen, and what a later step or a later start needs to know again. */
export const SetupAnswers = z.object({
  role: SetupRole.optional(),
  how: z.enum(['system', 'background']).optional(),
  /** as `espalier models use` takes it; a folder until it is pulled */
  model: z.string().max(1_000).optional(),
  question: z.string().max(10_000).optional(),
});
export type SetupAnswers = z.infer<typeof SetupAnswers>;

/** What lies in the state file: enough to go on at any step. */
export const SetupState = z.object({
  /** null: all steps are done */
  at: StepId.nullable(),
  done: z.array(StepId),
  answers: SetupAnswers,
});
export type SetupState = z.infer<typeof SetupState>;

export const FRESH: SetupState = { at: 'role', done: [], answers: {} };

/** While no role is chosen, that of a controller: it has the most steps. */
export function stepsFor(role: SetupRole | undefined): readonly StepId[] {
  return STEPS[role ?? 'controller'];
}

/** The state after a step was done, or passed over. */
export function afterStep(state: SetupState, step: StepId, answers: SetupAnswers, isDone = true): SetupState {
  const steps = stepsFor(answers.role);
  const others = state.done.filter((each) => each !== step && steps.includes(each));
  return { at: steps[steps.indexOf(step) + 1] ?? null, done: isDone ? [...others, step] : others, answers };
}

/** The state after going back; at the first step it stays. */
export function beforeStep(state: SetupState, step: StepId): SetupState {
  const steps = stepsFor(state.answers.role);
  return { ...state, at: steps[Math.max(0, steps.indexOf(step) - 1)] ?? 'role' };
}
