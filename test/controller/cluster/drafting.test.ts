// A draft on a node of its own, by transcripts: it comes when the stages serve, and whatever becomes of it, no stage moves.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { clusterState } from '../../../controller/cluster/state.ts';
import { cardWith } from '../planner/support.ts';
import { GIB, Story } from './story.ts';

const layerBytes = new Array(12).fill(GIB / 10);
const draft = { weightBytes: GIB / 10, bytes: GIB / 5, layerCount: 2 };
const planning = { goal: 'throughput', contextTokens: 1_000, streams: 1, layers: [6, 6] } as const;

/** Stages on a and b, and a draft on c, if nothing else is said. */
function story(options: { draftPlace?: 'head' | 'apart' } = { draftPlace: 'apart' }): Story {
  const card = cardWith({ layerBytes, draft });
  return new Story({ card, wantedNodes: 4, planning: { ...planning, ...options } });
}

function serving(...more: string[]): Story {
  const told = story();
  for (const name of ['a', 'b', 'c', 'd', ...more]) told.join(name);
  told.bringUp('a', 'b');
  return told;
}

const about = (told: Story, name: string, epoch = told.cluster.draft.epoch) => ({
  nodeId: `id-${name}`,
  epoch,
});
const loaded = (told: Story, name: string) =>
  told.tell({
    ...{ kind: 'draft-loaded', ...about(told, name), hop: { host: name, port: 9 }, pid: 5, weightBytes: 1 },
  });
const linked = (told: Story) => told.tell({ kind: 'draft-linked', ...about(told, 'a') });
const fail = (told: Story, name: string, epoch?: number) =>
  told.tell({ kind: 'draft-failed', ...about(told, name, epoch), code: 'stage_lost', message: 'killed' });
const unlink = (told: Story, name: string, reason = 'it closed') =>
  told.tell({ kind: 'draft-unlinked', ...about(told, name), reason });

function drafting(): Story {
  const told = serving();
  told.wait(250);
  loaded(told, 'c');
  linked(told);
  return told;
}

describe('a draft on a node of its own', () => {
  test('comes when the stages serve, on a node without one', () => {
    const told = serving();
    assert.deepEqual(told.wait(250), ['draft 1 on id-c']);
    assert.deepEqual(told.wait(5_000), [], 'it takes its time');
    assert.deepEqual(loaded(told, 'c'), ['link id-a to draft 1 at c']);
    assert.deepEqual(linked(told), []);
    assert.equal(told.told.at(-1), 'the draft guesses on c');
    assert.deepEqual(told.wait(10_000), []);
  });

  test('is reached by the measured way', () => {
    const told = serving();
    told.listens.set('c', 'c-cable');
    told.links(['a c slow', 'a c cable', 'a b cable', 'b a cable']);
    // the stages were deployed before anything was measured: so is the draft only now
    assert.equal(told.cluster.draft.running?.hopPath?.listenAddress, 'c-cable');
    const hop = { host: 'c-cable', port: 9 };
    assert.deepEqual(told.tell({ kind: 'draft-loaded', ...about(told, 'c'), hop, pid: 5, weightBytes: 1 }), [
      'link id-a to draft 1 at c-cable%a from a-cable',
    ]);
    linked(told);
    assert.deepEqual(
      told.links(['a c slow', 'a b cable', 'b a cable']),
      ['incident 1'],
      'its cable was pulled',
    );
    assert.deepEqual(told.wait(250), ['draft 2 on id-c at c-slow']);
  });

  test('a crash: it is started again, on record, and the stages never notice', () => {
    const told = drafting();
    told.requests(1);
    assert.deepEqual(fail(told, 'c'), ['incident 1']);
    assert.equal(clusterState(told.cluster), 'serving');
    assert.deepEqual(told.wait(250), ['draft 2 on id-c']);
    assert.deepEqual(fail(told, 'c', 1), [], 'of the first one');
    loaded(told, 'c');
    assert.deepEqual(linked(told), ['incident 1 over: serving']);
    assert.equal(told.cluster.epoch, 1);
  });

  test('where it crashes again and again it goes elsewhere, and nowhere when it does that everywhere', () => {
    const told = drafting();
    for (let times = 1; times <= 3; times++) {
      fail(told, 'c');
      told.wait(5_000);
    }
    assert.equal(told.cluster.draft.running?.nodeId, 'id-d');
    assert.deepEqual(told.wait(0), []);
    loaded(told, 'd');
    assert.deepEqual(linked(told), ['incident 1 and 2 and 3 over: serving']);
    for (const name of ['d', 'd', 'd', 'b', 'b', 'b']) {
      assert.equal(told.cluster.draft.running?.nodeId, `id-${name}`, 'b has a stage, and room beside it');
      fail(told, name);
      told.wait(5_000);
    }
    assert.equal(told.cluster.draft.running, undefined);
    assert.match(told.told.at(-1) ?? '', /no node can run the draft/);
    assert.deepEqual(told.wait(5_000), [], 'which is said once');
    // the stages report all the time
    for (const stage of told.cluster.deployment?.stages ?? []) stage.heardAt += 300_000;
    assert.deepEqual(told.wait(300_000), ['draft 10 on id-c'], 'all is forgiven after a while');
  });

  test('a node that is lost with it, or drained, does without it', () => {
    const told = drafting();
    assert.deepEqual(told.lose('c'), ['incident 1']);
    assert.deepEqual(told.wait(250), ['draft 2 on id-d']);
    told.join('c');
    assert.deepEqual(told.tell({ kind: 'drain', nodeId: 'id-d', now: false }), []);
    assert.deepEqual(told.wait(250), ['no draft on id-d', 'draft 3 on id-c']);
    assert.equal(told.cluster.incidents, 1, 'which is none');
  });

  test('both ends tell of a hop that is lost; where it is the first stage that was, nothing is said of the draft', () => {
    const told = drafting();
    assert.deepEqual(unlink(told, 'c'), []);
    assert.deepEqual(unlink(told, 'a', 'nothing came for 3.6 s'), []);
    assert.deepEqual(told.wait(250), ['incident 1']);
    assert.deepEqual(told.wait(250), ['draft 2 on id-c']);
    loaded(told, 'c');
    linked(told);
    unlink(told, 'c');
    assert.deepEqual(told.fail('a'), ['incident 2']);
    told.wait(250);
    told.bringUp('a', 'b');
    assert.deepEqual(told.wait(250), ['draft 3 on id-c'], 'for the new deployment');
    assert.equal(told.cluster.incidents, 2);
  });

  test('a node that is to have a stage gives its draft up first', () => {
    const told = drafting();
    told.requests(1);
    told.lose('b');
    assert.deepEqual(told.wait(250), ['no draft on id-c', 'deploy 2: id-a 0-6, id-c 6-12']);
    told.bringUp('a', 'c');
    assert.deepEqual(told.wait(250), ['draft 2 on id-d']);
  });

  test('what an earlier controller left is ended, or taken over with a newer epoch', () => {
    const told = story();
    for (const name of ['a', 'b', 'c']) told.join(name);
    const node = told.cluster.nodes.get('id-c');
    assert.ok(node);
    told.tell({ kind: 'node-connected', node, held: null, draftEpoch: 7 });
    told.join('d');
    const other = told.cluster.nodes.get('id-d');
    assert.ok(other);
    told.tell({ kind: 'node-connected', node: other, held: null, draftEpoch: 9 });
    told.bringUp('a', 'b');
    assert.deepEqual(told.wait(250), ['no draft on id-d', 'draft 10 on id-c']);
  });

  test('a node that comes back while it loads is told that another one has it now, though it tells of none', () => {
    const told = serving();
    assert.deepEqual(told.wait(250), ['draft 1 on id-c']);
    told.lose('c');
    assert.deepEqual(told.wait(250), ['draft 2 on id-d']);
    assert.deepEqual(told.join('c'), ['no draft on id-c']);
    assert.deepEqual(told.wait(250), [], 'once');
  });

  test('who refuses an epoch that is not newer keeps the draft that he has, until it is ended', () => {
    const told = serving();
    told.wait(250);
    const message = 'not newer';
    told.tell({ kind: 'draft-failed', ...about(told, 'c'), code: 'old_epoch', message });
    const drained = told.tell({ kind: 'drain', nodeId: 'id-c', now: false });
    assert.deepEqual(drained, ['no draft on id-c', 'draft 2 on id-d']);
  });

  test('on a drained node it ends, also where no other one can run it', () => {
    const told = drafting();
    for (const name of ['d', 'b']) told.cluster.draft.losses.set(`id-${name}`, [0, 0, 0]);
    assert.deepEqual(told.tell({ kind: 'drain', nodeId: 'id-c', now: true }), []);
    assert.deepEqual(told.wait(250), ['no draft on id-c']);
    assert.match(told.told.at(-1) ?? '', /no node can run the draft/);
    const { length } = told.told;
    assert.deepEqual(told.wait(250), []);
    assert.equal(told.told.length, length, 'which is said once');
  });

  test('its incidents are over when the plan does without it', () => {
    const told = drafting();
    assert.deepEqual(fail(told, 'c'), ['incident 1']);
    const { deployment } = told.cluster;
    assert.ok(deployment?.plan.draft);
    deployment.plan = {
      ...deployment.plan,
      draft: { ...deployment.plan.draft, place: 'head', nodeId: 'id-a' },
    };
    assert.deepEqual(told.wait(250), ['incident 1 over: serving']);
    assert.deepEqual(told.wait(250), []);
  });

  test("its incidents are over with another model, whose draft is tried where the first one's was lost", () => {
    const told = drafting();
    for (let times = 1; times <= 3; times++) {
      fail(told, 'c');
      if (times < 3) told.wait(5_000);
    }
    const { deployment } = told.cluster;
    assert.ok(deployment);
    const card = { ...told.cluster.card, id: 'other' };
    const plan = { ...deployment.plan, modelId: 'other' };
    const effects = told.tell({ kind: 'model', card, modelFingerprint: 'other-files', plan });
    assert.equal(effects[0], 'incident 1 and 2 and 3 over: serving');
    told.bringUp('a', 'b');
    assert.deepEqual(told.wait(0), ['draft 4 on id-c']);
  });

  test('beside the first stage there is none to look after', () => {
    const told = story({ draftPlace: 'head' });
    for (const name of ['a', 'b', 'c', 'd']) told.join(name);
    told.bringUp('a', 'b');
    assert.equal(told.cluster.deployment?.plan.draft?.place, 'head');
    assert.deepEqual(told.wait(10_000), []);
  });
});
