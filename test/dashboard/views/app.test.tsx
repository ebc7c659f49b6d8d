import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { cleanup, render } from 'ink-testing-library';
import { createLiveView } from '../../../dashboard/live-view.ts';
import { App } from '../../../dashboard/views/app.tsx';
import { SAMPLE_TIME, sampleStatus } from '../sample.ts';

afterEach(cleanup);

const DEADLINE_MS = 20_000;

/** The app with its keyboard; `left` counts how often it wanted to go. */
function start() {
  const live = createLiveView();
  let left = 0;
  const app = render(
    <App live={live} controller="http://127.0.0.1:7117" colours={false} leave={() => (left += 1)} />,
  );
  /** Waits for React and for Ink's key parser, both of which work a little later. */
  const until = async (holds: () => boolean) => {
    const deadline = Date.now() + DEADLINE_MS;
    while (!holds()) {
      if (Date.now() > deadline) assert.fail(`this did not come:\n${app.lastFrame()}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return {
    live,
    press: (key: string) => app.stdin.write(key),
    shows: (pattern: RegExp) => until(() => pattern.test(app.lastFrame() ?? '')),
    hides: (pattern: RegExp) => until(() => !pattern.test(app.lastFrame() ?? '')),
    leaves: (times: number) => until(() => left === times),
  };
}

test('it shows what the store reports', async () => {
  const { live, shows } = start();
  await shows(/looking for a controller at http:\/\/127\.0\.0\.1:7117/);
  live.report({ kind: 'gone', trouble: 'connection refused', at: 0 });
  await shows(/✗ connection refused\n→ Start one with `npm start`/);
  live.report({ kind: 'snapshot', status: sampleStatus() });
  await shows(/14\.2 tok\/s now/);
  live.report({ kind: 'snapshot', status: sampleStatus({ at: SAMPLE_TIME + 1, tokensPerSecond: 99.9 }) });
  await shows(/99\.9 tok\/s now/);
});

test('a controller that goes away leaves the picture, with a notice above it', async () => {
  const { live, shows, hides } = start();
  live.report({ kind: 'snapshot', status: sampleStatus() });
  await shows(/● studio-3/);
  live.report({ kind: 'gone', trouble: 'connection refused', at: Date.now() - 60_000 });
  await shows(/^✗ no news for 6\d s: connection refused(.|\n)*● studio-3/);
  live.report({ kind: 'snapshot', status: sampleStatus({ at: SAMPLE_TIME + 1 }) });
  await hides(/no news/);
});

test('? opens the help and closes it, escape closes it too', async () => {
  const { live, press, shows, hides } = start();
  live.report({ kind: 'snapshot', status: sampleStatus() });
  await shows(/studio-1/);
  press('?');
  await shows(/What the screen says/);
  await hides(/studio-1/);
  press('?');
  await shows(/studio-1/);
  press('?');
  await shows(/What the screen says/);
  press('\u001b');
  await hides(/What the screen says/);
});

test('q and Ctrl-C leave, other keys do not', async () => {
  const { press, leaves, live, shows } = start();
  live.report({ kind: 'snapshot', status: sampleStatus() });
  await shows(/studio-1/);
  press('x');
  press('q');
  await leaves(1);
  press('\u0003');
  await leaves(2);
});
