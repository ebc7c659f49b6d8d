// The trace of a real cluster: every stage tells what it did, and put together it makes sense.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isAlive } from '../../protocol/home-lock.ts';
import { type ChromeEvent, type ChromeTrace, TRACE_PATH, TraceMetadata } from '../../protocol/trace.ts';
import { TestCluster } from '../support/cluster.ts';
import { referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

type Span = ChromeEvent & { ph: 'X' };

describe('the trace of a cluster of three', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up({ nodes: 3, speculation: 'off' });
  });
  after(() => cluster.down());

  async function trace(
    query = '',
  ): Promise<{ spans: Span[]; events: ChromeEvent[]; metadata: TraceMetadata }> {
    const response = await fetch(`${cluster.url}${TRACE_PATH}${query}`);
    assert.equal(response.status, 200);
    const { traceEvents, metadata } = (await response.json()) as ChromeTrace;
    return {
      events: traceEvents,
      spans: traceEvents.filter((event): event is Span => event.ph === 'X'),
      metadata: TraceMetadata.parse(metadata),
    };
  }

  test('before the first step there is nothing to see, and it says so', async () => {
    const { spans, metadata } = await trace();
    assert.equal(spans.length, 0);
    assert.deepEqual(
      metadata.stages.map(({ node, answered }) => [node, answered]),
      [
        ['node-1', true],
        ['node-2', true],
        ['node-3', true],
      ],
    );
    assert.match(metadata.summary.verdict, /No step has run/);
  });

  test('every stage has its steps, in the order of cause and effect, without overlap, with time to compute', async () => {
    const prompts = referenceCases.slice(0, 3).map(({ prompt_ids }) => prompt_ids);
    await Promise.all(
      prompts.map((promptIds) => cluster.generate(promptIds, { maxTokens: 40, stopIds: [] })),
    );
    // the last step's answer is out before its stages have written its end down
    await until(async () =>
      (await trace('?steps=512')).metadata.summary.stages.every(({ steps }) => steps > 40),
    );
    const { events, spans, metadata } = await trace('?steps=512');
    const { summary } = metadata;
    assert.deepEqual(
      metadata.stages.map(({ index, answered }) => [index, answered]),
      [
        [0, true],
        [1, true],
        [2, true],
      ],
    );

    const stepsOf = (pid: number) =>
      new Map(
        spans
          .filter((span) => span.pid === pid && span.cat === 'step')
          .map((span) => [span.args?.step as number, span]),
      );
    const stages = [1, 2, 3].map(stepsOf);
    for (const [i, steps] of stages.entries()) {
      const next = stages[i + 1];
      for (const [number, { ts }] of next ? steps : []) {
        const after = next?.get(number);
        if (after) assert.ok(ts < after.ts, `step ${number} begins on stage ${i} before stage ${i + 1}`);
      }
      const phases = spans.filter(({ pid, cat }) => pid === i + 1 && cat === 'phase');
      for (const [k, { ts, dur }] of phases.entries()) {
        const following = phases[k + 1];
        if (following) assert.ok(ts + dur <= following.ts);
      }
      // each step with rows was computed, and sent on or answered
      for (const { args } of steps.values()) {
        if (args?.rows === 0) continue;
        const mine = phases.filter((phase) => phase.args?.step === args?.step);
        const has = (name: string) => mine.some((phase) => phase.name === name && phase.dur > 0);
        assert.ok(has('compute') && has('send') && has('serialize'), `step ${args?.step} on stage ${i}`);
        assert.equal(has('deserialize'), i > 0);
        assert.ok((args?.sentBytes ?? 0) > 0);
      }
      assert.ok((summary.stages[i]?.phases.compute.share ?? 0) > 0);
    }

    const arrows = events.filter(({ ph }) => ph === 's').length;
    assert.ok(arrows >= 2 * 40, `${arrows} arrows`);
    const head = [...(stages[0]?.values() ?? [])];
    const tokens = (of: 'prefillTokens' | 'decodeTokens') =>
      head.reduce((sum, { args }) => sum + (args?.[of] ?? 0), 0);
    const promptTokens = prompts.flat().length;
    assert.ok(tokens('prefillTokens') > 0 && tokens('prefillTokens') <= promptTokens); // some may be cached
    assert.equal(tokens('decodeTokens'), 3 * 39);

    // the three workers share this machine's clock
    for (const { clock } of metadata.stages) {
      assert.ok(Math.abs(clock?.offsetUs ?? Number.NaN) <= (clock?.uncertaintyUs ?? 0) + 20_000);
    }
    assert.ok((summary.round?.computeShare ?? 0) > 0);
    assert.match(summary.verdict, /^Stage \d \(node-\d, layers [\d–]+\) is the busiest/);
  });

  test('a few steps are the last ones, the same on each stage', async () => {
    const all = await trace('?steps=512');
    const few = await trace('?steps=5');
    const numbers = (spans: Span[]) => new Set(spans.map(({ args }) => args?.step as number));
    const last = Math.max(...numbers(all.spans));
    assert.deepEqual([...numbers(few.spans)].sort(), [last - 4, last - 3, last - 2, last - 1, last].sort());
    assert.equal(few.metadata.summary.steps, 5);
  });

  test('whoever asks at the same time gets an answer too, and the cluster goes on answering', async () => {
    const [generated, ...traces] = await Promise.all([
      cluster.generate(referenceCases[0]?.prompt_ids ?? []),
      ...Array.from({ length: 8 }, () => trace()),
    ]);
    assert.ok(generated.length > 0);
    for (const { metadata } of traces) assert.ok(metadata.stages.every(({ answered }) => answered));
  });

  test('a stage that does not answer is named after the deadline, and the others are shown', async () => {
    const silent = cluster.controller.status().stages[1]?.pid as number;
    process.kill(silent, 'SIGSTOP');
    const { metadata, spans } = await trace();
    assert.deepEqual(
      metadata.stages.map(({ answered }) => answered),
      [true, false, true],
    );
    assert.match(metadata.summary.verdict, /Stage 1 did not answer in time/);
    assert.deepEqual(new Set(spans.map(({ pid }) => pid)), new Set([1, 3]));
    // its agent ends what is frozen; another one in its place answers
    await until(() => !isAlive(silent), 'the end of the frozen worker');
    await until(() => {
      const { state, stages } = cluster.controller.status();
      return state === 'serving' && stages.every(({ pid }) => pid !== silent);
    }, 'another stage in its place');
    await cluster.generate(referenceCases[0]?.prompt_ids ?? []);
    assert.ok((await trace()).metadata.stages.every(({ answered }) => answered));
  });
});
