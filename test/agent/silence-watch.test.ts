// Who falls silent is found, who announced it is not. Real timers: nothing is asserted of how long it takes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SilenceWatch } from '../../agent/silence-watch.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 100;

test('silence is told once, and not where it was announced or the watch has ended', async () => {
  const told: string[] = [];
  const watch = (name: string) =>
    new SilenceWatch({ limitMs: LIMIT_MS, onSilent: (ms) => told.push(`${name} ${ms > LIMIT_MS}`) });
  const announced = watch('announced');
  announced.heard(60_000);
  const stopped = watch('stopped');
  stopped.stop();
  const taken = watch('taken back');
  taken.heard(60_000);
  taken.heard(0);
  const kept = watch('kept');
  kept.heard(60_000);
  kept.heard();
  watch('silent');
  // the watches themselves keep no process running
  const alive = setInterval(() => undefined, 50);
  try {
    await until(() => told.length >= 2, 'the two that are silent');
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    assert.deepEqual(told.sort(), ['silent true', 'taken back true']);
  } finally {
    clearInterval(alive);
    announced.stop();
    kept.stop();
  }
});

test('what came while this process was blocked is read before anybody is called silent', async () => {
  const { port1, port2 } = new MessageChannel();
  const told: number[] = [];
  const watch = new SilenceWatch({
    limitMs: LIMIT_MS,
    blockedMs: () => 10_000,
    onSilent: (ms) => told.push(ms),
  });
  port2.on('message', () => watch.heard(60_000));
  // a step that does not let go until the watch is due, and what came meanwhile is still unread
  setTimeout(() => {
    port1.postMessage('I was here all the time');
    const end = performance.now() + 900;
    while (performance.now() < end);
  }, 300);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  assert.deepEqual(told, []);
  watch.stop();
  port1.close();
});
