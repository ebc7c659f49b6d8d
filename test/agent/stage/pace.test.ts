// What a stage announces and when it gives a step up, by what it measured before.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Pace } from '../../../agent/stage/pace.ts';
import { FIRST_STEP_BUSY_MS, MAX_BUSY_MS, STEP_TIMEOUT_MS } from '../../../protocol/limits.ts';

const LAYERS = 10;

class Play {
  readonly pace = new Pace();
  #now = 0;

  /** A step whose turns of the event loop come after these times. */
  step(tokens: number, ...gapsMs: number[]): void {
    this.pace.begin(tokens, LAYERS, this.#now);
    for (const gapMs of gapsMs.slice(0, -1)) this.pass(gapMs);
    this.#now += gapsMs.at(-1) ?? 0;
    this.pace.end(this.#now);
  }

  begin(tokens: number, layers = LAYERS): number {
    this.pace.begin(tokens, layers, this.#now);
    return this.pace.busyMs;
  }

  pass(ms: number, mostMs?: number): void {
    this.#now += ms;
    this.pace.turn(this.#now, mostMs);
  }
}

describe('what is announced', () => {
  test('is generous for the first step of its kind, and nothing between steps', () => {
    const play = new Play();
    assert.equal(play.pace.busyMs, 0);
    assert.equal(play.begin(1), FIRST_STEP_BUSY_MS);
    play.step(1, 20);
    assert.equal(play.pace.busyMs, 0);
    assert.equal(play.begin(1), 0, 'what takes 20 ms needs no word');
    assert.equal(play.begin(512), FIRST_STEP_BUSY_MS, 'a long one is of another kind');
  });

  test('grows with the work: tokens of a long step, layers of a short one', () => {
    const play = new Play();
    play.step(100, 300, 400, 300); // layer by layer, 4 ms a token at most
    assert.equal(play.begin(200), 5 * 800);
    play.step(1, 500);
    assert.equal(play.begin(1), 5 * 500);
    assert.equal(play.begin(1, 2 * LAYERS), 5 * 1000);
  });

  test('fades where steps are short again, and has a limit', () => {
    const play = new Play();
    play.step(1, 2_000);
    for (let i = 0; i < 200; i++) play.step(1, 20);
    assert.equal(play.begin(1), 0);
    play.step(1, 200_000);
    assert.equal(play.begin(1), MAX_BUSY_MS);
  });
});

describe('a step that does not end', () => {
  test('is given up after ten times what was usual, and a minute at least', () => {
    const play = new Play();
    play.step(1, 100);
    play.begin(1);
    play.pass(STEP_TIMEOUT_MS - 1);
    assert.equal(play.pace.stuck, undefined);
    play.pass(1);
    assert.match(play.pace.stuck ?? '', /a step takes 60 s, where 100 ms were the longest/);
    play.step(100, 20_000);
    play.begin(100);
    play.pass(199_000);
    assert.equal(play.pace.stuck, undefined);
    play.pass(1_000);
    assert.match(play.pace.stuck ?? '', /a step takes 200 s/);
  });

  test('what was slept in its middle does not count', () => {
    const play = new Play();
    play.step(1, 100);
    play.begin(1);
    play.pass(3_600_000, 1_500);
    assert.equal(play.pace.stuck, undefined);
  });
});
