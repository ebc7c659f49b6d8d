// The wizard as a whole: on the alternate screen, or as lines where nobody can be asked. What is done at each step is handed
// in; nothing of Ink or React is loaded before it is needed.
import type { SetupActions, SetupFlags } from './actions.ts';
import { LinesTalk } from './lines-talk.ts';
import { type SetupState, STEP_TITLES, type StepId } from './order.ts';
import { Presets } from './presets.ts';
import { ScreenTalk } from './screen-talk.ts';
import { runWizard } from './wizard.ts';

export interface SetupOptions {
  actions: SetupActions;
  flags: SetupFlags;
  /** answers of the command line, by the names of flags */
  presets: Readonly<Record<string, string | undefined>>;
  state: SetupState;
  only?: StepId | undefined;
  /** nobody is to be asked */
  isUnattended: boolean;
  signal: AbortSignal;
  save(state: SetupState): void;
}

/** @returns 'done' when nothing is left, 'left' when the user went away; @throws what a step throws, where nobody is asked */
export function runSetup(options: SetupOptions): Promise<'done' | 'left'> {
  return options.isUnattended ? inLines(options) : onScreen(options);
}

async function inLines({ presets, signal, ...rest }: SetupOptions): Promise<'done' | 'left'> {
  const print = (line: string) => console.log(line);
  const talk = new LinesTalk({ presets: new Presets(presets), print, signal });
  return runWizard({ ...rest, talk, onStep: (step) => print(`${STEP_TITLES[step]}:`) });
}

async function onScreen({ presets, signal, ...rest }: SetupOptions): Promise<'done' | 'left'> {
  process.env.NODE_ENV ??= 'production'; // React reads it once, when it is loaded
  const [{ render }, { createElement }, { SetupApp }] = await Promise.all([
    import('ink'),
    import('react'),
    import('./views/setup-app.tsx'),
  ]);
  const colours = (process.env.NO_COLOR ?? '') === '';
  const open = () =>
    render(createElement(SetupApp, { talk, colours }), {
      alternateScreen: true,
      incrementalRendering: true,
      // the caller has looked at the terminal; Ink would refuse under CI=true
      interactive: true,
      exitOnCtrlC: false,
      maxFps: 15,
    });
  const talk: ScreenTalk = new ScreenTalk({
    presets: new Presets(presets),
    async suspend(work) {
      app.clear();
      app.unmount();
      await app.waitUntilExit();
      try {
        return await work();
      } finally {
        app = open();
      }
    },
  });
  let app = open();
  const leave = () => talk.leave();
  signal.addEventListener('abort', leave);
  try {
    return await runWizard({ ...rest, talk, onStep: (step, steps) => talk.begin(step, steps) });
  } finally {
    signal.removeEventListener('abort', leave);
    app.clear();
    app.unmount();
  }
}
