// The dashboard on a terminal: Ink on the alternate screen, fed by the status stream. Nothing of Ink or React is
// loaded before this file is, so that the other ways of watching start quickly.
import { watchStatus } from './client.ts';
import { createLiveView } from './live-view.ts';

interface Options {
  controllerUrl: string;
  signal?: AbortSignal | undefined;
}

/** Shows the screen until `q`, Ctrl-C or the signal. Redraws only lines that changed. */
export async function runScreen({ controllerUrl, signal }: Options): Promise<void> {
  // React reads this once, when it is loaded: in production it needs a third less time.
  process.env.NODE_ENV ??= 'production';
  const [{ render }, { createElement }, { App }] = await Promise.all([
    import('ink'),
    import('react'),
    import('./views/app.tsx'),
  ]);
  const live = createLiveView();
  const colours = (process.env.NO_COLOR ?? '') === '';
  const leave = () => {
    // A terminal that grew meanwhile may push lines of the alternate screen into the shell's: leave none behind.
    app.clear();
    app.unmount();
  };
  const app = render(createElement(App, { live, controller: controllerUrl, colours, leave }), {
    alternateScreen: true,
    incrementalRendering: true,
    // the caller has looked at the terminal; Ink would refuse under CI=true
    interactive: true,
    exitOnCtrlC: false,
    maxFps: 15,
  });
  const stream = watchStatus(controllerUrl, {
    snapshot: (status) => live.report({ kind: 'snapshot', status }),
    gone: (trouble) => live.report({ kind: 'gone', trouble, at: Date.now() }),
  });
  signal?.addEventListener('abort', leave);
  if (signal?.aborted) leave();
  try {
    await app.waitUntilExit();
  } finally {
    signal?.removeEventListener('abort', leave);
    stream.stop();
  }
}
