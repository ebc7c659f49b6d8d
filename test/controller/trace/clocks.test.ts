import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { alignClocks } from '../../../controller/trace/clocks.ts';
import { seeded } from '../support.ts';
import { ring } from './ring.ts';

const stepsOf = (stages: ReturnType<typeof ring>) => stages.map(({ steps }) => steps);

describe('clocks', () => {
  test('clocks that are right stay so', () => {
    const clocks = alignClocks(
      stepsOf(ring({ computeUs: [900, 500, 700], linkUs: [60, 60, 60], clockUs: [5e9, 5e9, 5e9] })),
      true,
    );
    assert.deepEqual(clocks, [
      { offsetUs: 0, uncertaintyUs: 0 },
      { offsetUs: 0, uncertaintyUs: 120 },
      { offsetUs: 0, uncertaintyUs: 120 },
    ]);
  });

  test('clocks seconds apart are found, exactly where all hops are equally fast', () => {
    const clockUs = [1e9, 1e9 + 3_000_000, 1e9 - 70_000_000, 1e9 + 123];
    const stages = ring({ computeUs: [900, 500, 700, 100], linkUs: [80, 80, 80, 80], clockUs });
    assert.deepEqual(
      alignClocks(stepsOf(stages), true).map(({ offsetUs }) => offsetUs),
      [0, -3_000_000, 70_000_000, -123],
    );
  });

  test('where hops differ, the truth is within the uncertainty and no frame arrives before it left', () => {
    const random = seeded(7);
    for (let round = 0; round < 200; round++) {
      const count = 2 + Math.floor(random() * 5);
      const any = (least: number, most: number) =>
        Array.from({ length: count }, () => Math.round(least + random() * (most - least)));
      const clockUs = [2e9, ...any(1e9, 3e9).slice(1)];
      const stages = ring({
        computeUs: any(50, 5_000),
        linkUs: any(20, 4_000),
        clockUs,
        inFlight: 1 + Math.floor(random() * count),
      });
      const clocks = alignClocks(stepsOf(stages), true);
      for (const [i, { offsetUs, uncertaintyUs }] of clocks.entries()) {
        const truth = 2e9 - (clockUs[i] ?? 0);
        assert.ok(Math.abs(offsetUs - truth) <= (uncertaintyUs ?? 0) + 1, `stage ${i} of ${count}`);
        const next = stages[i + 1];
        for (const [k, step] of (stages[i]?.steps ?? []).entries()) {
          const left = step.beginUs + step.deserializeUs + step.computeUs + step.serializeUs + offsetUs;
          const arrived = next
            ? (next.steps[k]?.beginUs ?? 0) + (clocks[i + 1]?.offsetUs ?? 0)
            : (stages[0]?.steps[k]?.answeredUs ?? 0);
          assert.ok(arrived >= left, `step ${step.step} from stage ${i} of ${count}`);
        }
      }
    }
  });

  test('drift makes the ring too short: the uncertainty does not hide it', () => {
    const stages = ring({
      computeUs: [100_000, 100_000],
      linkUs: [30, 30],
      driftPpm: [0, 50],
      steps: 300,
    });
    const [, second] = alignClocks(stepsOf(stages), true);
    // 60 s at 50 ppm are 3 ms
    assert.ok((second?.uncertaintyUs ?? 0) > 1_000, `${second?.uncertaintyUs}`);
  });

  test('where the ring does not close, the fastest frame took no time and the uncertainty is not known', () => {
    const stages = ring({ computeUs: [900, 500], linkUs: [60, 60], clockUs: [0, 2_000_000] });
    const unanswered = stages.map(({ steps }) => steps.map((step) => ({ ...step, answeredUs: null })));
    assert.deepEqual(alignClocks(unanswered, true), [
      { offsetUs: 0, uncertaintyUs: 0 },
      { offsetUs: -2_000_060, uncertaintyUs: null },
    ]);
    assert.deepEqual(alignClocks(stepsOf(stages), false)[1], { offsetUs: -2_000_060, uncertaintyUs: null });
  });

  test('without a common step clocks are taken as they are; one stage has nothing to align', () => {
    const stages = stepsOf(ring({ computeUs: [900, 500], linkUs: [60, 60] }));
    const apart = [stages[0]?.slice(0, 5) ?? [], stages[1]?.slice(5) ?? []];
    assert.deepEqual(alignClocks(apart, true), [
      { offsetUs: 0, uncertaintyUs: 0 },
      { offsetUs: 0, uncertaintyUs: null },
    ]);
    assert.deepEqual(alignClocks([[]], true), [{ offsetUs: 0, uncertaintyUs: 0 }]);
    assert.deepEqual(alignClocks([], true), []);
  });
});
