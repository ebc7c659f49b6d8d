// A draft on a node of its own, over real processes: texts are what they are without it, and whatever becomes of it costs
// guesses and nothing else. ESPALIER_ALL_CASES=1 compares all reference texts, and loses a stage and the controller, too.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ALL_CASES } from '../support/all-cases.ts';
import { TestCluster } from '../support/cluster.ts';
import { type ReferenceCase, referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

const sample = ALL_CASES ? referenceCases : referenceCases.filter((_, i) => i % 12 === 0);
const long = referenceCases.find(
  ({ greedy_ids: { length } }) => length > 100 && length < 140,
) as ReferenceCase;
const answerOf = ({ greedy_ids }: ReferenceCase) => greedy_ids.filter((id) => id !== 1);

describe('two stages and a draft on a third node', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up({
      nodes: 3,
      speculation: 'auto',
      planning: {
        ...{ goal: 'throughput', contextTokens: 2_048, streams: 1, layers: [6, 6], draftPlace: 'apart' },
      },
    });
    await drafting();
  });
  after(() => cluster.down());

  const status = () => cluster.controller.status();
  const drafting = () => until(() => status().draft?.state === 'linked', 'a draft that guesses');
  const kept = () => status().guesses?.find(({ source }) => source === 'draft')?.kept ?? 0;
  /** Its text must be what it always is, whatever happens in the midst of it. */
  const inMidStream = async (happens: () => void | Promise<void>) => {
    for (let isGuessed = false; !isGuessed; ) {
      const before = kept();
      let isOver = false;
      const answer = cluster.generate(long.prompt_ids).finally(() => {
        isOver = true;
      });
      // on a busy machine guessing may not pay for a while
      while (!isOver && kept() <= before) await delay(10);
      isGuessed = !isOver;
      if (isGuessed) await happens();
      assert.deepEqual(await answer, answerOf(long));
    }
    assert.equal(status().requestsFailed, 0);
  };

  test('it runs where no stage is', () => {
    const { draft, stages } = status();
    assert.equal(draft?.place, 'apart');
    assert.ok(stages.every(({ nodeId }) => nodeId !== draft?.nodeId));
    assert.ok(draft?.pid);
  });

  test('texts are those without guesses, and its guesses are kept', async () => {
    for (const each of sample) assert.deepEqual(await cluster.generate(each.prompt_ids), answerOf(each));
    await until(() => kept() > 0, 'guesses of the draft that were right');
  });

  for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
    test(`${signal} of it in mid-stream: no stage is touched, and it comes back`, async () => {
      const { epoch, draft } = status();
      await inMidStream(() => {
        assert.ok(draft?.pid, 'a process of its own');
        process.kill(draft.pid, signal);
      });
      await until(() => status().draft?.pid !== draft?.pid, 'the loss of the draft');
      await drafting();
      assert.notEqual(status().draft?.pid, draft?.pid);
      assert.equal(status().epoch, epoch);
      const incident = status().incidents?.at(-1);
      assert.equal(incident?.code, 'draft_lost');
      assert.equal(incident.outcome, 'serving');
      await inMidStream(() => undefined);
    });
  }

  test('a stage is lost: the draft goes on for the next deployment with what it has loaded', {
    skip: !ALL_CASES,
  }, async () => {
    const { draft, stages, epoch } = status();
    const head = stages[0]?.pid;
    await inMidStream(() => {
      assert.ok(head);
      process.kill(head, 'SIGKILL');
    });
    await drafting();
    assert.notEqual(status().epoch, epoch);
    assert.equal(status().draft?.pid, draft?.pid);
    assert.equal(status().incidents?.at(-1)?.code, 'stage_lost');
    await inMidStream(() => undefined);
  });

  test('another start of the controller takes it over', { skip: !ALL_CASES }, async () => {
    const { draft } = status();
    await cluster.restartController();
    await drafting();
    assert.equal(status().draft?.pid, draft?.pid);
    await inMidStream(() => undefined);
  });
});
