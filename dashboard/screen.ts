// The dashboard on a terminal: Ink's alternate screen and keys, fed by the status stream. Nothing of Ink or React is
// loaded before this file is, so that the other ways of watching start quickly.
import { setTimeout as delay } from 'node:timers/promises';
import { asEspalierError } from '../protocol/errors.ts';
import { watchStatus } from './client.ts';
import { ask, fetchHistory, fulfil } from './controller-calls.ts';
import { createLiveView, type LiveView } from './live-view.ts';
import { chooseLook, type LookOptions } from './paint/look.ts';
import type { Command } from './ui.ts';

interface Options {
  controllerUrl: string;
  /** between two pictures */
  intervalMs: number;
  look: LookOptions;
  signal?: AbortSignal | undefined;
}

/** By then all stages have reported what they did before the first picture. */
const SECOND_HISTORY_MS = 3_000;

/** Shows the screen until `q`, Ctrl-C or the signal. Writes only the lines that changed. */
export async function runScreen({ controllerUrl, intervalMs, look, signal }: Options): Promise<void> {
  // React reads this once, when it is loaded: in production it needs a third less time.
  process.env.NODE_ENV ??= 'production';
  const [{ render }, { createElement }, { App }] = await Promise.all([
    import('ink'),
    import('react'),
    import('./views/app.tsx'),
  ]);
  const live = createLiveView();
  const over = new AbortController();
  const leave = () => app.unmount();
  const obey = obedience(controllerUrl, live, over.signal, leave);
  const shown = chooseLook(look, process.env);
  const app = render(createElement(App, { live, controller: controllerUrl, look: shown, obey }), {
    alternateScreen: true,
    // the caller has looked at the terminal; Ink would refuse under CI=true
    interactive: true,
    exitOnCtrlC: false,
  });
  const stream = watchStatus(
    controllerUrl,
    {
      snapshot: (status) => {
        const isNew = live.get().connection.kind !== 'live';
        live.report({ kind: 'snapshot', status });
        if (isNew) void loadHistories(controllerUrl, live, over.signal);
      },
      gone: (trouble) => live.report({ kind: 'gone', trouble, at: Date.now() }),
    },
    { intervalMs },
  );
  signal?.addEventListener('abort', leave);
  if (signal?.aborted) leave();
  try {
    await app.waitUntilExit();
  } finally {
    signal?.removeEventListener('abort', leave);
    over.abort();
    stream.stop();
  }
}

/** The last seconds of a history are not all reported yet: a second one, soon after, joins what was seen meanwhile. */
async function loadHistories(controllerUrl: string, live: LiveView, signal: AbortSignal): Promise<void> {
  await loadHistory(controllerUrl, live, signal);
  await delay(SECOND_HISTORY_MS, undefined, { signal }).catch(() => undefined);
  if (!signal.aborted) await loadHistory(controllerUrl, live, signal);
}

/** Graphs are worth having, not worth an error: without the past they begin now. */
async function loadHistory(controllerUrl: string, live: LiveView, signal: AbortSignal): Promise<void> {
  try {
    live.report({ kind: 'history', history: await fetchHistory(controllerUrl, signal) });
  } catch {
    // an older controller has none; that it is gone, the stream tells
  }
}

/** What becomes of a key's command; a text that comes back is for the person. */
function obedience(controllerUrl: string, live: LiveView, signal: AbortSignal, leave: () => void) {
  let asking = new AbortController();
  return async (command: Command): Promise<string | undefined> => {
    switch (command.kind) {
      case 'quit':
        leave();
        return undefined;
      case 'wish':
        try {
          return await fulfil(controllerUrl, command.wish, signal);
        } catch (error) {
          return signal.aborted ? undefined : asEspalierError(error).message;
        }
      case 'hush':
        asking.abort();
        return undefined;
      case 'ask':
        asking.abort();
        asking = new AbortController();
        await converse(controllerUrl, command.question, live, AbortSignal.any([signal, asking.signal]));
        return undefined;
    }
  };
}

async function converse(
  controllerUrl: string,
  text: string,
  live: LiveView,
  signal: AbortSignal,
): Promise<void> {
  const model = live.get().status?.model?.id ?? '';
  live.hear({ kind: 'asked', question: text });
  try {
    for await (const piece of ask(controllerUrl, { model, text }, signal))
      live.hear({ kind: 'piece', ...piece });
    live.hear({ kind: 'done' });
  } catch (error) {
    if (!signal.aborted) live.hear({ kind: 'failed', trouble: asEspalierError(error).message });
  }
}
