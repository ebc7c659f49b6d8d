import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Command, INITIAL_UI, type Key, press, type Ui } from '../../dashboard/ui.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import { sampleNode, sampleStatus } from './sample.ts';

const NAMES = ['up', 'down', 'return', 'escape', 'tab', 'backspace', 'pageDown', 'interrupt'];

/** Keys by name, or letters one by one. */
function pressAll(keys: readonly string[], status: ClusterStatus | null = sampleStatus()) {
  let ui: Ui = INITIAL_UI;
  const commands: Command[] = [];
  for (const text of keys) {
    const name = NAMES.includes(text) ? (text as Key['name']) : 'text';
    const pressed = press(ui, { name, text: name === 'text' ? text : '' }, status);
    ui = pressed.ui;
    if (pressed.command) commands.push(pressed.command);
  }
  return { ui, commands };
}

describe('keys', () => {
  test('j, k and arrows choose a node or a request, and stop at the ends', () => {
    assert.equal(pressAll(['j']).ui.nodeKey, 'stage 1');
    assert.equal(pressAll(['j', 'j', 'j', 'down', 'k']).ui.nodeKey, 'stage 1');
    assert.equal(pressAll(['up']).ui.nodeKey, 'stage 0');
    assert.equal(pressAll(['tab', 'j', 'pageDown']).ui.requestId, 'req-3');
    assert.equal(pressAll(['tab', 'tab', 'j', 'j', 'k']).ui.scroll, 1);
    assert.equal(pressAll(['tab', 'tab', 'tab']).ui.pane, 'nodes');
  });

  test('enter opens all of it and closes it; ? helps; p holds the picture; q and Ctrl-C leave', () => {
    assert.equal(pressAll(['return']).ui.overlay, 'detail');
    assert.equal(pressAll(['return', 'return']).ui.overlay, 'none');
    assert.equal(pressAll(['?']).ui.overlay, 'help');
    assert.equal(pressAll(['?', 'escape']).ui.overlay, 'none');
    assert.equal(pressAll(['p']).ui.isPaused, true);
    assert.deepEqual(pressAll(['q']).commands, [{ kind: 'quit' }]);
    assert.deepEqual(pressAll(['t', 'interrupt']).commands, [{ kind: 'quit' }]);
  });

  test('before the first picture every key is harmless', () => {
    for (const key of [...'jkpcdt/?', 'return', 'tab', 'up'])
      assert.deepEqual(pressAll([key], null).commands, []);
  });
});

describe('the filter', () => {
  test('takes letters until enter, narrows what j and k choose, and escape takes it away', () => {
    const { ui } = pressAll(['/', ...'io-q3', 'backspace', 'backspace', '3', 'return', 'j']);
    assert.deepEqual([ui.filter, ui.typing, ui.nodeKey], ['io-3', 'nothing', 'stage 2']);
    assert.equal(pressAll(['/', 'x', 'escape']).ui.filter, '');
    assert.equal(pressAll(['/', 'x', 'return', 'escape']).ui.filter, '');
  });
});

describe('wishes', () => {
  test('a request is cancelled only after y', () => {
    const asked = pressAll(['tab', 'j', 'c']);
    assert.match(asked.ui.question?.text ?? '', /^Cancel the request req-2/);
    assert.deepEqual(asked.commands, []);
    const { commands } = pressAll(['tab', 'j', 'c', 'y']);
    assert.deepEqual(commands, [{ kind: 'wish', wish: { kind: 'cancel', requestId: 'req-2' } }]);
    for (const no of ['n', 'return', 'escape', 'q'])
      assert.deepEqual(pressAll(['tab', 'c', no]).commands, [], no);
  });

  test('a node is drained when no request runs, or at once; a drained one is given back', () => {
    const wishOf = (keys: string[], status?: ClusterStatus) => pressAll(keys, status).commands;
    const drain = { kind: 'drain', nodeId: 'node-id-1' };
    assert.deepEqual(wishOf(['j', 'd', 'y']), [{ kind: 'wish', wish: { ...drain, now: false } }]);
    assert.deepEqual(wishOf(['j', 'd', 'a']), [{ kind: 'wish', wish: { ...drain, now: true } }]);
    assert.deepEqual(wishOf(['j', 'd', 'n']), []);
    const drained = sampleStatus({ nodes: [sampleNode(0, { isDrained: true })] });
    assert.deepEqual(wishOf(['d', 'y'], drained), [
      { kind: 'wish', wish: { kind: 'undrain', nodeId: 'node-id-0' } },
    ]);
  });

  test('without anything chosen it says what to do first', () => {
    assert.match(pressAll(['c']).ui.notice ?? '', /Choose a request first/);
    assert.match(pressAll(['tab', 'd']).ui.notice ?? '', /Choose a node first/);
    assert.equal(pressAll(['c', 'j']).ui.notice, null);
  });
});

describe('letting a node in', () => {
  const waiting = sampleStatus({
    waiting: [
      { id: 'id-7', name: 'studio-7' },
      { id: 'id-8', name: 'studio-8' },
    ],
  });

  test('its code is typed, however it is grouped, and enter asks the controller', () => {
    const { ui, commands } = pressAll(['a', ...'12x3-45678q', 'backspace', '8', 'return'], waiting);
    const wish = { kind: 'pair', nodeId: 'id-7', code: '123-45678' };
    assert.deepEqual(commands, [{ kind: 'wish', wish }]);
    assert.deepEqual([ui.typing, ui.newcomer, ui.code], ['nothing', null, '']);
  });

  test('tab goes to the next that waits, escape leaves, and nothing is asked without a code', () => {
    assert.equal(pressAll(['a', '1', 'tab'], waiting).ui.newcomer?.name, 'studio-8');
    assert.equal(pressAll(['a', '1', 'tab'], waiting).ui.code, '');
    assert.equal(pressAll(['a', 'tab', 'tab'], waiting).ui.newcomer?.name, 'studio-7');
    assert.equal(pressAll(['a', '1', 'escape'], waiting).ui.typing, 'nothing');
    assert.deepEqual(pressAll(['a', 'return'], waiting).commands, []);
    assert.match(pressAll(['a']).ui.notice ?? '', /No node waits/);
  });
});

describe('the chat', () => {
  test('every letter belongs to the question, enter asks, escape goes back and ends the answer', () => {
    const { ui, commands } = pressAll(['t', ...'quit?', 'return', 'escape']);
    assert.deepEqual(commands, [{ kind: 'ask', question: 'quit?' }, { kind: 'hush' }]);
    assert.deepEqual([ui.overlay, ui.typing, ui.draft], ['none', 'nothing', '']);
    assert.deepEqual(pressAll(['t', ' ', 'return']).commands, []);
  });

  test('what is pasted is limited, and steers nothing', () => {
    const { ui } = pressAll(['t', ...'\u001b[2J', 'x'.repeat(9_000)]);
    assert.ok(ui.draft.length <= 4_000);
    assert.ok(!ui.draft.includes('\u001b'));
  });
});
