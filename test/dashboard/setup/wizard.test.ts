// The wizard's way through its steps, by keys and by flags, with things done that are only said here.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ModelOffer, SetupActions, SetupFlags } from '../../../dashboard/setup/actions.ts';
import { LinesTalk } from '../../../dashboard/setup/lines-talk.ts';
import { FRESH, type SetupState, type StepId } from '../../../dashboard/setup/order.ts';
import type { Press } from '../../../dashboard/setup/page.ts';
import { Presets } from '../../../dashboard/setup/presets.ts';
import { ScreenTalk } from '../../../dashboard/setup/screen-talk.ts';
import { runWizard } from '../../../dashboard/setup/wizard.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import type { PullProgress } from '../../../protocol/models.ts';
import type { SystemChange } from '../../../protocol/system-change.ts';
import { until } from '../../support/until.ts';
import { QUIET_LINKS, SCENES, sceneStatus } from './scenes.ts';

const CHANGE: SystemChange = {
  id: 'no-sleep',
  description: 'never sleep',
  why: 'it leaves',
  needsRoot: true,
  files: [],
  apply: [['pmset', '-c', 'sleep', '0']],
  undo: [],
};

const OFFER: ModelOffer = {
  name: 'a/r1',
  place: 'hub',
  sizeBytes: 400e9,
  quantization: '4-bit',
  licence: 'mit',
  predicted: 8,
  refused: null,
};
const OFFERS: ModelOffer[] = [
  OFFER,
  { ...OFFER, name: 'a/small', place: 'stored', sizeBytes: 8e9, predicted: 80 },
  { ...OFFER, name: 'a/big', predicted: null, refused: '9 GB are missing' },
];

const IDLE_PULL: PullProgress = {
  id: 'one',
  kind: 'pull',
  model: 'a/old',
  asked: 'a/old',
  commit: '',
  state: 'pulling',
  failure: null,
  damaged: [],
  totalBytes: 8e9,
  doneBytes: 1e9,
  hubBytes: 1e9,
  copiedBytes: 0,
  bytesPerSecond: null,
  remainingSeconds: null,
  nodes: [],
};

/** A Mac on which everything works at once; `done` is what was asked of it. */
function fakeActions(changes: Partial<SetupActions> = {}) {
  const done: string[] = [];
  const actions: SetupActions = {
    machine: async () => ({ name: 'studio-1', text: 'a Mac', isMac: true, systemHow: 'launchd' }),
    running: async () => ({ agent: null, controller: null }),
    serviceChanges: async () => [
      { change: { ...CHANGE, id: 'service-agent' }, commands: ['sudo launchctl'] },
    ],
    startServices: async (role, how) => void done.push(`start ${role} ${how}`),
    code: async () => '1234-5678',
    pairedWith: async () => undefined,
    pairing: async () => ({ waiting: [], paired: [] }),
    pair: async (node) => void done.push(`pair ${node}`),
    pairOwn: async () => true,
    status: async () => sceneStatus(SCENES['two-studios']),
    links: async () => QUIET_LINKS,
    proposals: async () => [{ change: CHANGE, commands: ['sudo pmset -c sleep 0'] }],
    apply: async ({ id }) => void done.push(`apply ${id}`),
    models: async () => OFFERS,
    folderModel: async (dir) => ({ ...OFFER, name: dir, place: 'local' }),
    searchHub: async (words) => {
      done.push(`search ${words}`);
      return [{ repo: 'a/found', downloads: 7, likes: null, updatedAt: null, isGated: false }];
    },
    predict: async ({ name }) => ({ text: `the plan of ${name}`, disks: [] }),
    pulls: async () => [],
    cancelPull: async (model) => void done.push(`end ${model}`),
    pull: async (model) => {
      done.push(`pull ${model}`);
      return model.startsWith('/') ? `local/${model.split('/').at(-1)}` : model;
    },
    deployModel: async (model) => void done.push(`use ${model}`),
    untilServing: async () => undefined,
    plan: async () => 'the plan in force',
    ask: async (question, tell) => {
      done.push(`ask ${question}`);
      tell({ kind: 'content', text: 'Three.' });
    },
    endpoint: async () => ({ url: 'http://127.0.0.1:7117', next: [] }),
    ...changes,
  };
  return { actions, done };
}

const NO_FLAGS: SetupFlags = { codes: new Map(), fix: [] };

describe('unattended', () => {
  async function unattended(
    given: Record<string, string>,
    flags: Partial<SetupFlags>,
    actions: SetupActions,
  ) {
    const printed: string[] = [];
    const states: SetupState[] = [];
    const talk = new LinesTalk({
      presets: new Presets(given),
      print: (line) => printed.push(line),
      signal: new AbortController().signal,
    });
    const ended = await runWizard({
      talk,
      actions,
      flags: { ...NO_FLAGS, ...flags },
      state: FRESH,
      save: (state) => states.push(state),
      onStep: () => undefined,
    });
    return { ended, printed: printed.join('\n'), states };
  }

  test('flags and defaults answer; the system is changed only where a flag says so', async () => {
    const { actions, done } = fakeActions();
    const { ended, states, printed } = await unattended({ run: 'background' }, { nodes: 2 }, actions);
    assert.equal(ended, 'done');
    assert.deepEqual(done, [
      'start controller background',
      // nothing is fetched that nobody named: it lies on the nodes
      'pull a/small',
      'use a/small',
      "ask How many r's are in strawberry?",
    ]);
    assert.match(printed, /sudo pmset -c sleep 0[\s\S]*○ not: never sleep/);
    assert.equal(states.at(-1)?.at, null);
    const wanted = fakeActions();
    await unattended({ run: 'system', model: 'r1' }, { nodes: 2, fix: ['no-sleep'] }, wanted.actions);
    assert.deepEqual(wanted.done.slice(0, 2), ['start controller system', 'apply no-sleep']);
  });

  test('what cannot be known is asked for by its flag, and a wrong one is named with what it takes', async () => {
    const { actions } = fakeActions();
    await assert.rejects(
      unattended({}, {}, actions),
      /"How is Espalier to be kept running\?" has no answer: add --run/,
    );
    await assert.rejects(
      unattended(
        { run: 'system' },
        {},
        fakeActions({
          machine: async () => ({ name: 'x', text: 'Linux', isMac: false, systemHow: undefined }),
        }).actions,
      ),
      { code: 'bad_option', message: '--run system: here it takes background' },
    );
    await assert.rejects(
      unattended({ run: 'background', model: 'r2' }, { nodes: 2 }, actions),
      /--model: there is no model r2 here, and it is neither .*; there is: a\/r1, a\/small, a\/big/,
    );
  });

  test('a model by its name, its short name, of the hub, or as a folder; one that does not fit ends it', async () => {
    for (const [given, pulled, used] of [
      ['a/r1', 'a/r1', 'a/r1'],
      ['r1', 'a/r1', 'a/r1'],
      ['b/elsewhere', 'b/elsewhere', 'b/elsewhere'],
      ['/disk/mine', '/disk/mine', 'local/mine'],
    ] as const) {
      const { actions, done } = fakeActions();
      await unattended({ run: 'background', model: given }, { nodes: 2 }, actions);
      assert.deepEqual(done.slice(1, 3), [`pull ${pulled}`, `use ${used}`]);
    }
    await assert.rejects(
      unattended({ run: 'background', model: 'big' }, { nodes: 2 }, fakeActions().actions),
      { code: 'not_enough_nodes', message: 'big: 9 GB are missing' },
    );
  });

  test('a step that fails ends it, with the steps before it kept', async () => {
    const pairOwn = async () => {
      throw new EspalierError('not_paired', 'no code');
    };
    await assert.rejects(unattended({ run: 'background' }, {}, fakeActions({ pairOwn }).actions), {
      code: 'not_paired',
    });
  });
});

describe('by keys', () => {
  function onScreen(actions: SetupActions, state: SetupState, only?: StepId) {
    const states: SetupState[] = [];
    const talk = new ScreenTalk({ presets: new Presets({}), suspend: (work) => work() });
    const ended = runWizard({
      talk,
      actions,
      flags: NO_FLAGS,
      state,
      only,
      save: (next) => states.push(next),
      onStep: (step, steps) => talk.begin(step, steps),
    });
    const shows = (words: string) =>
      until(
        () => talk.get().ask?.kind !== 'busy' && JSON.stringify(talk.get()).includes(words),
        words,
        5_000,
      );
    const key = (name: Press['key'], input = '') => talk.press({ input, key: name });
    return { ended, states, shows, key, page: talk.get };
  }

  test('a service is started only after its commands were shown and wanted', async () => {
    const { actions, done } = fakeActions();
    const { ended, shows, key, states } = onScreen(actions, {
      ...FRESH,
      at: 'run',
      answers: { role: 'node' },
    });
    await shows('How is Espalier');
    key('enter');
    await shows('sudo launchctl');
    assert.deepEqual(done, []);
    key('up');
    key('enter');
    await shows('The code of studio-1:  1234-5678');
    assert.deepEqual(done, ['start node system']);
    key('ctrlC');
    assert.equal(await ended, 'left');
    assert.deepEqual(states.at(-1), { at: 'join', done: ['run'], answers: { role: 'node', how: 'system' } });
  });

  test('back, and on again; what fails says why, and may be tried again or passed over', async () => {
    let tries = 0;
    const { actions, done } = fakeActions({
      models: async () => {
        tries += 1;
        throw new EspalierError('controller_unreachable', `nobody answers, ${tries}`);
      },
    });
    const { ended, shows, key, states } = onScreen(actions, {
      at: 'system',
      done: ['role', 'run'],
      answers: { role: 'controller' },
    });
    await shows('sudo pmset -c sleep 0');
    key('escape');
    await shows('Cables that are there');
    key('enter');
    await shows('Change it?');
    key('up');
    key('enter');
    await shows('done: never sleep');
    assert.deepEqual(done, ['apply no-sleep']);
    key('enter');
    await shows('nobody answers, 1');
    await shows('Start one with `npm start`');
    await shows('What now?');
    key('enter'); // again
    await shows('nobody answers, 2');
    await shows('What now?');
    key('down');
    key('enter'); // without it
    await shows('The cluster serves.');
    assert.deepEqual(states.at(-1)?.done.includes('model'), false);
    key('ctrlC');
    assert.equal(await ended, 'left');
  });

  test('the pull of a folder that was begun before is not another model’s', async () => {
    const { actions, done } = fakeActions();
    const { ended, shows, key } = onScreen(
      {
        ...actions,
        pulls: async () => [{ ...IDLE_PULL, model: 'local/r1', asked: '/models/r1' }],
      },
      { ...FRESH, at: 'pull', answers: { role: 'controller', model: '/models/r1' } },
    );
    await shows('The cluster serves.');
    assert.deepEqual(done, ['pull /models/r1', 'use local/r1']);
    key('ctrlC');
    assert.equal(await ended, 'left');
  });

  test('one that does not fit says why; the hub is searched; a pull of another model is ended first', async () => {
    let others = ['a/old'];
    const { actions, done } = fakeActions();
    const { ended, shows, key, states } = onScreen(
      {
        ...actions,
        pulls: async () => others.map((model) => ({ ...IDLE_PULL, model })),
        cancelPull: async (model) => {
          others = others.filter((other) => other !== model);
          done.push(`end ${model}`);
        },
      },
      { ...FRESH, at: 'model', answers: { role: 'controller' } },
    );
    await shows('Which model?');
    for (let nth = 0; nth < 5; nth += 1) key('down');
    key('enter');
    await shows('It does not fit: 9 GB are missing');
    key('enter');
    await shows('Which model?');
    key('up');
    key('enter');
    await shows('words to search the hub for');
    key(null, 'deep seek');
    key('enter');
    await shows('a/found  7 downloads');
    key('enter');
    await shows('It is not in the catalogue.');
    key('enter');
    await shows('What is to become of a/old?');
    key('enter');
    await shows('The cluster serves.');
    assert.deepEqual(done, ['search deep seek', 'end a/old', 'pull a/found', 'use a/found']);
    assert.equal(states.at(-1)?.answers.model, 'a/found');
    key('ctrlC');
    assert.equal(await ended, 'left');
  });

  test('a step alone leaves the place of the wizard as it was', async () => {
    const { actions } = fakeActions();
    const state: SetupState = { at: 'nodes', done: ['role', 'run'], answers: { role: 'controller' } };
    const { ended, shows, key, states } = onScreen(actions, state, 'cabling');
    await shows('Two Macs need one cable.');
    key('enter');
    assert.equal(await ended, 'done');
    assert.deepEqual(states, [state]);
  });

  test('what comes while a question is open is shown, and a waiting node goes on by itself', async () => {
    let controller: string | undefined;
    const { actions } = fakeActions({ pairedWith: async () => controller });
    const { shows, key, ended } = onScreen(actions, { ...FRESH, at: 'join', answers: { role: 'node' } });
    await shows('1234-5678');
    controller = 'studio-9';
    await shows('sudo pmset -c sleep 0');
    key('ctrlC');
    assert.equal(await ended, 'left');
  });
});
