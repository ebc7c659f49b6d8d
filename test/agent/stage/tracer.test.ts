import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Tracer } from '../../../agent/stage/tracer.ts';
import { MAX_CONTROL_MESSAGE_BYTES, MAX_TRACE_STEPS } from '../../../protocol/limits.ts';
import { TracedSteps } from '../../../protocol/trace.ts';

const DECODE = { session: 1, position: 9, count: 1, sample: true };
const CHUNK = { session: 2, position: 0, count: 512, sample: false };

/** A tracer whose clock is set by hand, in milliseconds. */
function tracerAt(startMs = 1_000) {
  const clock = { ms: startMs };
  return { clock, tracer: new Tracer(() => clock.ms) };
}

describe('tracer', () => {
  test('one step: every phase in its place, nothing between them is lost', () => {
    const { clock, tracer } = tracerAt();
    tracer.begin(7, [DECODE, CHUNK]);
    clock.ms = 1_000.25;
    tracer.mark('deserialize');
    clock.ms = 1_004;
    tracer.mark('compute');
    clock.ms = 1_004.5;
    tracer.encoded(14_400);
    clock.ms = 1_004.6;
    tracer.mark('send');
    clock.ms = 1_005;
    tracer.end();
    assert.deepEqual(tracer.steps(), [
      {
        step: 7,
        rows: 2,
        prefillTokens: 512,
        decodeTokens: 1,
        guessedTokens: 0,
        sentBytes: 14_400,
        beginUs: 1_000_000,
        restUs: 0,
        tidyUs: 0,
        waitUs: 0,
        deserializeUs: 250,
        computeUs: 3_750,
        serializeUs: 500,
        sendUs: 100,
        finishUs: 400,
        answeredUs: null,
      },
    ]);
  });

  test('between two steps: rest, tidy, wait; the whole time from end to begin', async () => {
    const { clock, tracer } = tracerAt();
    tracer.begin(1, [DECODE]);
    tracer.end();
    clock.ms += 1;
    await tracer.tidy(async () => {
      clock.ms += 2;
    });
    clock.ms += 4;
    tracer.begin(2, [DECODE]);
    tracer.end();
    clock.ms += 8;
    tracer.begin(3, [DECODE]);
    tracer.end();
    const gaps = tracer.steps().map(({ restUs, tidyUs, waitUs }) => [restUs, tidyUs, waitUs]);
    assert.deepEqual(gaps, [
      [0, 0, 0],
      [1_000, 2_000, 4_000],
      [0, 0, 8_000],
    ]);
  });

  test('a phase in several parts is added up', () => {
    const { clock, tracer } = tracerAt();
    tracer.begin(1, [DECODE]);
    for (const phase of ['compute', 'deserialize', 'compute'] as const) {
      clock.ms += 1;
      tracer.mark(phase);
    }
    tracer.end();
    const [step] = tracer.steps();
    assert.deepEqual([step?.computeUs, step?.deserializeUs], [2_000, 1_000]);
  });

  test('a step that fails leaves no trace, and the next one is whole', () => {
    const { clock, tracer } = tracerAt();
    tracer.begin(1, [DECODE]);
    clock.ms += 5;
    tracer.mark('compute');
    assert.deepEqual(tracer.steps(), [], 'a step under way is not told');
    tracer.begin(2, [CHUNK]);
    clock.ms += 1;
    tracer.mark('compute');
    tracer.end();
    const steps = tracer.steps();
    assert.deepEqual(
      steps.map(({ step, computeUs, decodeTokens }) => [step, computeUs, decodeTokens]),
      [[2, 1_000, 0]],
    );
  });

  test('answers find their steps, also of the step under way; strange ones change nothing', () => {
    const { clock, tracer } = tracerAt();
    for (const step of [1, 2]) {
      tracer.begin(step, [DECODE]);
      tracer.end();
    }
    tracer.begin(3, [DECODE]);
    clock.ms = 2_000;
    tracer.answered(1);
    clock.ms = 3_000;
    tracer.answered(3);
    tracer.answered(99);
    tracer.end();
    const answers = tracer.steps().map(({ answeredUs }) => answeredUs);
    assert.deepEqual(answers, [2_000_000, null, 3_000_000]);
  });

  test('the ring keeps the last steps, in order, while the next one is under way', () => {
    const { clock, tracer } = tracerAt();
    const last = 2 * MAX_TRACE_STEPS + 3;
    for (let step = 1; step <= last; step++) {
      tracer.begin(step, [DECODE]);
      clock.ms += 1;
      tracer.end();
    }
    tracer.begin(last + 1, [DECODE]);
    const numbers = tracer.steps().map(({ step }) => step);
    assert.deepEqual(
      numbers,
      Array.from({ length: MAX_TRACE_STEPS }, (_, i) => last - MAX_TRACE_STEPS + 1 + i),
    );
  });

  test('a full ring at large numbers is valid and fits a control message well', () => {
    const { clock, tracer } = tracerAt(Date.UTC(2099, 0));
    for (let step = 1; step <= MAX_TRACE_STEPS; step++) {
      tracer.begin(4_000_000_000 + step, [CHUNK]);
      for (const phase of ['deserialize', 'compute', 'serialize', 'send'] as const) {
        clock.ms += 600_000;
        tracer.mark(phase);
      }
      tracer.encoded(64 * 1024 ** 2);
      tracer.answered(4_000_000_000 + step);
      tracer.end();
    }
    const steps = tracer.steps();
    assert.deepEqual(TracedSteps.parse(JSON.parse(JSON.stringify(steps))), steps);
    assert.ok(JSON.stringify(steps).length < 330 * MAX_TRACE_STEPS);
    assert.ok(330 * MAX_TRACE_STEPS < MAX_CONTROL_MESSAGE_BYTES / 4);
  });
});
