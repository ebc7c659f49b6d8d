import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { cleanup, render } from 'ink-testing-library';
import { createLiveView } from '../../../dashboard/live-view.ts';
import type { Command } from '../../../dashboard/ui.ts';
import { App } from '../../../dashboard/views/app.tsx';
import { LOOK } from '../paint/drawn.ts';
import { SAMPLE_TIME, sampleStatus } from '../sample.ts';

afterEach(cleanup);

const DEADLINE_MS = 20_000;
/** A line at its place, up to the next one or the end of what was written. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: places are such sequences
const PLACED = /\u001b\[(\d+);1H(.*?)(?=\u001b\[(?:\d+;1H|K|\?2026l))/gs;

/** The app with its keyboard and the lines that it has written. */
function start() {
  const live = createLiveView();
  const commands: Command[] = [];
  const obey = async (command: Command) => {
    commands.push(command);
    return command.kind === 'wish' ? 'it will be done' : undefined;
  };
  const app = render(
    <App live={live} controller="http://127.0.0.1:7117" look={{ ...LOOK, colours: false }} obey={obey} />,
  );
  const screen = () => {
    const lines: string[] = [];
    for (const written of app.frames)
      for (const [, row, text = ''] of written.matchAll(PLACED))
        lines[Number(row) - 1] = stripVTControlCharacters(text);
    return lines.join('\n');
  };
  /** Waits for React and for Ink's key parser, both of which work a little later. */
  const until = async (holds: () => boolean) => {
    const deadline = Date.now() + DEADLINE_MS;
    while (!holds()) {
      if (Date.now() > deadline) assert.fail(`this did not come:\n${screen()}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return {
    live,
    commands,
    press: (key: string) => app.stdin.write(key),
    shows: (pattern: RegExp) => until(() => pattern.test(screen())),
    hides: (pattern: RegExp) => until(() => !pattern.test(screen())),
    obeyed: (count: number) => until(() => commands.length === count),
  };
}

test('it shows what the store reports, and keeps the picture when the controller goes', async () => {
  const { live, shows, hides } = start();
  await shows(/looking for a controller at http:\/\/127\.0\.0\.1:7117/);
  live.report({ kind: 'gone', trouble: 'connection refused', at: 0 });
  await shows(/✗ connection refused\n→ Start one with `npm start`/);
  live.report({ kind: 'snapshot', status: sampleStatus() });
  await shows(/14\.2 tok\/s now/);
  live.report({ kind: 'snapshot', status: sampleStatus({ at: SAMPLE_TIME + 1, tokensPerSecond: 99.9 }) });
  await shows(/99\.9 tok\/s now/);
  live.report({ kind: 'gone', trouble: 'connection refused', at: Date.now() - 60_000 });
  await shows(/^✗ no news for 6\d s: connection refused(.|\n)*studio-3/);
  live.report({ kind: 'snapshot', status: sampleStatus({ at: SAMPLE_TIME + 2 }) });
  await hides(/no news/);
});

test('? helps, p holds the picture', async () => {
  const { live, press, shows, hides } = start();
  live.report({ kind: 'snapshot', status: sampleStatus() });
  await shows(/studio-1/);
  press('?');
  await shows(/Keys, and what the screen says/);
  press('\u001b');
  await hides(/Keys, and what the screen says/);
  press('p');
  await shows(/paused/);
  live.report({ kind: 'snapshot', status: sampleStatus({ at: SAMPLE_TIME + 1, tokensPerSecond: 77.7 }) });
  press('p');
  await shows(/77\.7 tok\/s now/);
  await hides(/paused/);
});

test('a wish asks first, and what becomes of it is shown', async () => {
  const { live, press, shows, commands, obeyed } = start();
  live.report({ kind: 'snapshot', status: sampleStatus() });
  await shows(/studio-1/);
  press('jd');
  await shows(/Drain studio-2\?/);
  press('y');
  await obeyed(1);
  assert.deepEqual(commands, [{ kind: 'wish', wish: { kind: 'drain', nodeId: 'node-id-1', now: false } }]);
  await shows(/it will be done/);
});

test('letters and enter that come at once are typed and sent; the answer grows', async () => {
  const { live, press, shows, commands, obeyed } = start();
  live.report({ kind: 'snapshot', status: sampleStatus() });
  await shows(/studio-1/);
  press('t');
  await shows(/Type a question/);
  press('why?\r');
  await obeyed(1);
  assert.deepEqual(commands, [{ kind: 'ask', question: 'why?' }]);
  live.hear({ kind: 'asked', question: 'why?' });
  live.hear({ kind: 'piece', thinking: '', answer: 'Because' });
  live.hear({ kind: 'piece', thinking: '', answer: ' it is so.' });
  await shows(/> why\?\nBecause it is so\./);
});

test('q and Ctrl-C leave, other keys do not', async () => {
  const { press, obeyed, live, shows, commands } = start();
  live.report({ kind: 'snapshot', status: sampleStatus() });
  await shows(/studio-1/);
  press('x');
  press('q');
  await obeyed(1);
  press('\u0003');
  await obeyed(2);
  assert.deepEqual(commands, [{ kind: 'quit' }, { kind: 'quit' }]);
});
