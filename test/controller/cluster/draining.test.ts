// Nodes that somebody wants for something else, by transcripts: events in, effects out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { clusterReason, clusterState } from '../../../controller/cluster/state.ts';
import { cardWith } from '../planner/support.ts';
import { GIB, Story } from './story.ts';

function serving(): Story {
  const story = new Story({ wantedNodes: 3 });
  story.serve('a', 'b', 'c');
  return story;
}

const drain = (story: Story, name: string, now = false) =>
  story.tell({ kind: 'drain', nodeId: `id-${name}`, now });

describe('draining', () => {
  test('a stage moves away when no request has run for a while, and the node frees its memory', () => {
    const story = serving();
    story.requests(1);
    assert.deepEqual(drain(story, 'b'), []);
    assert.deepEqual(story.wait(10_000), [], 'a request runs');
    story.requests(0);
    assert.deepEqual(story.wait(1_000), []);
    assert.deepEqual(story.wait(1_100), ['undeploy 1 on id-b', 'deploy 2: id-a 0-6, id-c 6-12']);
    assert.deepEqual(story.bringUp('a', 'c'), ['save 2']);
    assert.deepEqual(story.wait(10_000), [], 'it is not taken back');
  });

  test('at once, the requests pause and go on elsewhere; it is no incident', () => {
    const story = serving();
    story.requests(2);
    assert.deepEqual(drain(story, 'b', true), [
      'suspend-requests',
      'undeploy 1 on id-b',
      'deploy 2: id-a 0-6, id-c 6-12',
    ]);
    assert.equal(clusterState(story.cluster), 'recovering');
    assert.deepEqual(story.bringUp('a', 'c'), ['save 2', 'resume-requests']);
    assert.equal(story.cluster.incidents, 0);
  });

  test('one who is to wait can be hurried, and "at once" does not stay for the next node', () => {
    const story = serving();
    story.requests(1);
    drain(story, 'b');
    assert.ok(drain(story, 'b', true).includes('deploy 2: id-a 0-6, id-c 6-12'));
    story.bringUp('a', 'c');
    assert.deepEqual(drain(story, 'c'), []);
    assert.deepEqual(story.wait(5_000), []);
  });

  test('a node that is drained before the first plan is there all the same: the others are planned', () => {
    const story = new Story({ wantedNodes: 2 });
    story.join('a');
    drain(story, 'a');
    assert.deepEqual(story.join('b'), ['deploy 1: id-b 0-12']);
  });

  test('where all are drained before the first plan, that is said', () => {
    const story = new Story({ wantedNodes: 1 });
    story.cluster.planNotBefore = 1_000;
    story.join('a');
    drain(story, 'a');
    assert.deepEqual(story.wait(1_000), []);
    assert.match(clusterReason(story.cluster) ?? '', /drained/);
  });

  test('given back, it is used again when nobody is disturbed', () => {
    const story = serving();
    drain(story, 'b', true);
    story.bringUp('a', 'c');
    story.tell({ kind: 'undrain', nodeId: 'id-b' });
    assert.match(story.told.at(-1) ?? '', /deploying|given back/);
    const lines = [story.wait(2_100), story.wait(2_100)].flat();
    assert.ok(
      lines.some((line) => /id-b/.test(line)),
      lines.join(),
    );
  });

  test('what the others cannot hold stays, with the reason', () => {
    const card = cardWith({ layerBytes: new Array(12).fill(1.5 * GIB) });
    const story = new Story({ wantedNodes: 2, card });
    story.serve('a', 'b');
    assert.deepEqual(drain(story, 'b', true), []);
    assert.match(story.told.at(-1) ?? '', /^b cannot be drained: .*(lack|missing|hold|too)/i);
    assert.equal(clusterState(story.cluster), 'serving');
    assert.equal(story.cluster.drained.size, 0);
  });

  test('the only node cannot be drained', () => {
    const story = new Story({ wantedNodes: 1 });
    story.serve('a');
    drain(story, 'a', true);
    assert.match(story.told.at(-1) ?? '', /a cannot be drained: no other node is connected/);
  });

  test('a drained node is not taken when another one is lost, nor when it comes back itself', () => {
    const story = serving();
    drain(story, 'b');
    story.requests(1);
    story.lose('c');
    assert.deepEqual(story.wait(10), ['undeploy 1 on id-b', 'deploy 2: id-a 0-12']);
    story.bringUp('a');
    story.lose('b');
    story.join('b');
    story.requests(0);
    assert.deepEqual(story.wait(10_000), []);
  });

  test('a node that is forgotten is drained no more; who is not known cannot be', () => {
    const story = serving();
    drain(story, 'nobody', true);
    assert.equal(story.cluster.drained.size, 0);
    drain(story, 'b', true);
    story.bringUp('a', 'c');
    story.tell({ kind: 'node-forgotten', nodeId: 'id-b' });
    assert.equal(story.cluster.drained.size, 0);
  });
});
