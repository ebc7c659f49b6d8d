import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterStep, beforeStep, FRESH, type SetupState, stepsFor } from '../../../dashboard/setup/order.ts';

test('a controller goes through all its steps, and back', () => {
  let state: SetupState = FRESH;
  const seen: string[] = [];
  while (state.at !== null) {
    seen.push(state.at);
    state = afterStep(state, state.at, { ...state.answers, role: 'controller' });
  }
  assert.deepEqual(seen, stepsFor('controller'));
  assert.deepEqual(state.done, stepsFor('controller'));
  state = { ...state, at: 'question' };
  while (state.at !== 'role' && state.at !== null) state = beforeStep(state, state.at);
  assert.deepEqual(beforeStep(state, 'role').at, 'role');
});

test('who becomes a node has other steps before him, and what does not belong there is not done', () => {
  const was: SetupState = { at: 'role', done: ['role', 'run', 'nodes'], answers: { role: 'controller' } };
  const now = afterStep(was, 'role', { role: 'node' });
  assert.deepEqual(now, { at: 'run', done: ['run', 'role'], answers: { role: 'node' } });
  assert.equal(afterStep({ ...now, at: 'system' }, 'system', now.answers).at, null);
});

test('a step that is passed over is not done', () => {
  const state: SetupState = { at: 'model', done: ['role', 'model'], answers: { role: 'controller' } };
  assert.deepEqual(afterStep(state, 'model', state.answers, false).done, ['role']);
});
