import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chromeEvents } from '../../../controller/trace/chrome.ts';
import { makeTimeline } from '../../../controller/trace/timeline.ts';
import type { ChromeEvent } from '../../../protocol/trace.ts';
import { type RingOptions, ring } from './ring.ts';

const THREE = { computeUs: [900, 500, 700], linkUs: [160, 160, 160], tidyUs: 200, inFlight: 2 };

function eventsOf(options: RingOptions, count = 512): ChromeEvent[] {
  return chromeEvents(makeTimeline(ring(options), count));
}

function of<P extends ChromeEvent['ph']>(events: ChromeEvent[], ph: P) {
  return events.filter((event): event is ChromeEvent & { ph: P } => event.ph === ph);
}

describe('the Chrome form', () => {
  test('a process for each stage, named and in order; its number is not 0', () => {
    const names = of(eventsOf(THREE), 'M').filter(({ name }) => name === 'process_name');
    assert.deepEqual(
      names.map(({ pid, args }) => [pid, args.name]),
      [
        [1, 'stage 0 · node-0 · layers 0–3'],
        [2, 'stage 1 · node-1 · layers 4–7'],
        [3, 'stage 2 · node-2 · layers 8–11'],
      ],
    );
  });

  test('phases touch but never overlap, and lie within their steps', () => {
    const spans = of(eventsOf(THREE), 'X');
    for (const pid of [1, 2, 3]) {
      const mine = spans.filter((span) => span.pid === pid);
      const phases = mine.filter(({ cat }) => cat === 'phase');
      for (const [i, { ts, dur }] of phases.entries()) {
        assert.ok(Number.isInteger(ts) && Number.isInteger(dur) && ts >= 0 && dur > 0);
        const next = phases[i + 1];
        if (next) assert.ok(ts + dur <= next.ts, `${ts} + ${dur} ends after ${next.ts}`);
      }
      for (const step of mine.filter(({ cat }) => cat === 'step')) {
        const within = phases.filter(
          ({ name, args }) => args?.step === step.args?.step && name !== 'wait' && name !== 'tidy',
        );
        assert.equal(within[0]?.ts, step.ts);
        assert.equal(
          within.reduce((sum, { dur }) => sum + dur, 0),
          step.dur,
        );
      }
    }
  });

  test('a step says what it is', () => {
    const steps = of(eventsOf(THREE), 'X').filter(({ cat, pid }) => cat === 'step' && pid === 2);
    const [first, second] = steps;
    assert.deepEqual(
      [first?.name, first?.args],
      [
        'prefill',
        { step: 1, rows: 1, prefillTokens: 9, decodeTokens: 0, guessedTokens: 0, sentBytes: 1_000 },
      ],
    );
    assert.equal(second?.name, 'decode');
    assert.equal(steps.length, 20);
  });

  test('every arrow leads forward, from within a send to within what takes it, around the ring', () => {
    const events = eventsOf({ ...THREE, clockUs: [0, 5e6, -5e6] });
    const spans = of(events, 'X').filter(({ cat }) => cat === 'phase');
    const around = (pid: number, ts: number) =>
      spans.find((span) => span.pid === pid && span.ts < ts && ts < span.ts + span.dur)?.name;
    const ends = new Map(of(events, 'f').map((end) => [end.id, end]));
    const starts = of(events, 's');
    // 20 steps over two hops, and the answers that came while the first stage still had something to trace
    assert.ok(starts.length > 55, `${starts.length}`);
    assert.equal(ends.size, starts.length);
    for (const start of starts) {
      const end = ends.get(start.id);
      assert.ok(end && start.ts <= end.ts);
      assert.equal(end.pid, (start.pid % 3) + 1);
      assert.equal(around(start.pid, start.ts), 'send');
      assert.ok(end.pid === 1 ? around(1, end.ts) : around(end.pid, end.ts) === 'deserialize');
    }
  });

  test('one stage has no arrows; no steps, nothing but names', () => {
    const one = eventsOf({ computeUs: [900], linkUs: [0] });
    assert.equal(of(one, 's').length + of(one, 'f').length, 0);
    assert.equal(of(one, 'X').filter(({ cat }) => cat === 'step').length, 20);
    const none = eventsOf({ ...THREE, steps: 0 });
    assert.deepEqual([none.length, of(none, 'M').length], [9, 9]);
  });
});
