import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  EMPTY_PAGE,
  type Page,
  type Press,
  type Pressed,
  press,
  withOptions,
} from '../../../dashboard/setup/page.ts';

const options = ['red', 'green', 'blue'].map((value) => ({ value, label: value.toUpperCase() }));
const choice: Page = { ...EMPTY_PAGE, ask: { kind: 'choice', question: 'Which?', options, selected: 0 } };
const text: Page = { ...EMPTY_PAGE, ask: { kind: 'text', question: 'What?', text: 'ab' } };

/** Presses one after the other; the last result. */
function pressed(page: Page, ...presses: (Press['key'] | { input: string })[]): Pressed {
  let result: Pressed = { page };
  for (const each of presses) {
    assert.ok('page' in result);
    const one = typeof each === 'object' && each !== null ? { ...each, key: null } : { input: '', key: each };
    result = press(result.page, one);
  }
  return result;
}

describe('a choice', () => {
  test('by arrows, letters and numbers; the ends hold', () => {
    assert.deepEqual(pressed(choice, 'down', 'enter'), { answer: 'green' });
    assert.deepEqual(pressed(choice, { input: 'j' }, { input: 'j' }, 'down', 'up', 'enter'), {
      answer: 'green',
    });
    assert.deepEqual(pressed(choice, 'up', 'enter'), { answer: 'red' });
    assert.deepEqual(pressed(choice, { input: '3' }, 'enter'), { answer: 'blue' });
    assert.deepEqual(pressed(choice, { input: '7' }, 'enter'), { answer: 'red' });
  });

  test('what was selected stays so when others come and go', () => {
    const at = pressed(choice, 'down');
    assert.ok('page' in at);
    const more = withOptions(at.page, [{ value: 'new', label: 'new' }, ...options]);
    assert.deepEqual(press(more, { input: '', key: 'enter' }), { answer: 'green' });
    const gone = withOptions(at.page, [{ value: 'new', label: 'new' }]);
    assert.deepEqual(press(gone, { input: '', key: 'enter' }), { answer: 'new' });
    assert.deepEqual(press(withOptions(at.page, []), { input: '', key: 'enter' }), {
      page: withOptions(at.page, []),
    });
  });
});

describe('a text', () => {
  test('is typed, pasted and taken back; an empty one is no answer', () => {
    assert.deepEqual(pressed(text, { input: 'c' }, 'enter'), { answer: 'abc' });
    assert.deepEqual(pressed(text, 'backspace', { input: '😀' }, 'backspace', 'enter'), { answer: 'a' });
    assert.deepEqual(pressed(text, { input: ' d\r\n\u001b[31me ' }, 'enter'), { answer: 'ab d [31me' });
    assert.ok('page' in pressed(text, 'backspace', 'backspace', 'enter'));
  });

  test('letters that mean something elsewhere are letters', () => {
    assert.deepEqual(pressed(text, { input: 'j' }, { input: 'q' }, 'enter'), { answer: 'abjq' });
  });
});

test('Escape and Ctrl-C lead away from everything, also from what takes its time', () => {
  const busy: Page = { ...EMPTY_PAGE, ask: { kind: 'busy', what: 'Pairing' } };
  for (const page of [choice, text, busy]) {
    assert.deepEqual(pressed(page, 'escape'), { left: 'back' });
    assert.deepEqual(pressed(page, 'ctrlC'), { left: 'leave' });
  }
  assert.deepEqual(pressed(busy, 'enter'), { page: busy });
});
