// The steps in their order, and what each command needs. Nothing is written, not even a lock, when nothing is due.
import { join } from 'node:path';
import { buildStep } from './build-step.mjs';
import { withLock } from './lock.mjs';
import { mlxStep } from './mlx-step.mjs';
import { nodeStep } from './node-step.mjs';
import { packagesStep } from './packages-step.mjs';

/**
 * @typedef {object} Context what a step may know of the machine
 * @property {string} root the checkout
 * @property {string} setupDir the set-up's own folder, ignored by git
 * @property {string} platform
 * @property {string} arch
 * @property {string} execPath the Node that runs the set-up
 * @property {string} nodeVersion its version
 * @property {string} nodeRange what package.json asks for
 * @property {boolean} isRoot
 * @property {NodeJS.ProcessEnv} env
 * @property {() => string} node the Node to run things with (exists after the first step)
 * @property {() => NodeJS.ProcessEnv} childEnv `env` with that Node first on PATH
 * @property {import('./supervisor.mjs').Run} run
 * @property {(text: string) => void} say
 *
 * @typedef {object} Step
 * @property {string} name
 * @property {(context: Context) => string | undefined} due one line that says what is to be done and why; undefined when nothing is
 * @property {(context: Context) => Promise<void>} perform throws SetupError
 */

/** @type {readonly Step[]} */
const STEPS = [nodeStep, packagesStep, mlxStep, buildStep];

/** Commands that do not run the product need less. */
const NEEDS = new Map([
  ['check', ['node', 'packages']],
  ['build', ['node', 'packages', 'build']],
  ['package', ['node', 'packages', 'build']],
]);

/**
 * @param {string} command
 * @returns {readonly Step[]}
 */
export function stepsFor(command) {
  const needs = NEEDS.get(command);
  return needs === undefined ? STEPS : STEPS.filter((step) => needs.includes(step.name));
}

/**
 * Whether any step is due. A later step may look at what an earlier one provides, so the first due one decides.
 * @param {readonly Step[]} steps
 * @param {Context} context
 */
function anyDue(steps, context) {
  return steps.some((step) => step.due(context) !== undefined);
}

/**
 * Does what is due, one set-up at a time in one checkout.
 * @param {readonly Step[]} steps
 * @param {Context} context
 */
export async function setUp(steps, context) {
  if (!anyDue(steps, context)) return;
  await withLock(join(context.setupDir, 'lock'), async () => {
    for (const step of steps) {
      const what = step.due(context);
      if (what === undefined) continue;
      context.say(what);
      await step.perform(context);
    }
  });
}
