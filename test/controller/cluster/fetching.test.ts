// Deployments whose files are fetched first, by transcripts: how long that may take, and who is to blame where it fails.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterReason, clusterState, isFetching } from '../../../controller/cluster/state.ts';
import type { ErrorCode } from '../../../protocol/errors.ts';
import { Story } from './story.ts';

const HOUR_MS = 3_600_000;
/** Above all deadlines of loading in the agents. */
const LOAD_MS = 930_000;

/** Two nodes, deployed for the first time, whose files are on their way. */
function fetchingPair(): Story {
  const story = new Story();
  story.join('a');
  story.join('b');
  assert.deepEqual(story.wait(3_100), ['deploy 1: id-a 0-6, id-b 6-12']);
  assert.deepEqual(story.tell({ kind: 'fetching', epoch: 1 }), []);
  return story;
}

function fetchFailed(story: Story, node: string | undefined, code: ErrorCode): string[] {
  const { epoch } = story.cluster;
  const nodeId = node && `id-${node}`;
  return story.tell({ kind: 'deploy-failed', epoch, nodeId, code, message: 'why' });
}

test('the deadline of loading begins when the files are there', () => {
  const story = fetchingPair();
  assert.deepEqual(story.wait(HOUR_MS), []);
  assert.equal(clusterState(story.cluster), 'deploying');
  assert.equal(clusterReason(story.cluster), 'the files of the model are brought to their nodes');
  story.tell({ kind: 'fetched', epoch: 1 });
  assert.deepEqual(story.wait(LOAD_MS - 1), []);
  assert.match(clusterReason(story.cluster) ?? '', /0 of 2 stages have loaded/);
  assert.deepEqual(story.wait(2), ['incident 1']);
  assert.match(story.told.at(-1) ?? '', /the stage of a did not load in time/);
});

test('a node whose disk is full is left out where the others can do without it', () => {
  const story = fetchingPair();
  assert.deepEqual(fetchFailed(story, 'b', 'disk_full'), ['incident 1']);
  assert.equal(story.cluster.failure, 'disk_full');
  // it may still hold what it held before
  assert.deepEqual(story.wait(200), ['undeploy 1 on id-b', 'deploy 2: id-a 0-12']);
});

test('where no node is to blame, the same plan is tried again, less and less often', () => {
  const story = fetchingPair();
  const waits: number[] = [];
  for (let round = 2; round < 5; round++) {
    assert.deepEqual(fetchFailed(story, undefined, 'model_fetch_failed'), [`incident ${round - 1}`]);
    const begin = story.now;
    let lines: string[] = [];
    while (lines.length === 0) lines = story.wait(50);
    waits.push(story.now - begin);
    assert.deepEqual(lines, [`deploy ${round}: id-a 0-6, id-b 6-12`]);
    story.tell({ kind: 'fetching', epoch: round });
  }
  assert.deepEqual(waits, [150, 500, 1_000]);
});

test('what is told of a deployment that is no more changes nothing', () => {
  const story = fetchingPair();
  story.lose('b');
  assert.deepEqual(story.wait(10), ['deploy 2: id-a 0-12']);
  for (const kind of ['fetching', 'fetched'] as const) assert.deepEqual(story.tell({ kind, epoch: 1 }), []);
  const old = { epoch: 1, nodeId: 'id-a', code: 'not_ready', message: 'another plan was made' } as const;
  assert.deepEqual(story.tell({ kind: 'deploy-failed', ...old }), []);
  assert.deepEqual(story.bringUp('a'), ['save 2', 'incident 1 over: serving']);
});

/** Three that served; c is lost, and what the other two need in its place is on its way. */
function fetchingInItsPlace(): Story {
  const story = new Story({ wantedNodes: 3 });
  story.serve('a', 'b', 'c');
  story.requests(1);
  story.lose('c');
  assert.deepEqual(story.wait(1_100), ['deploy 2: id-a 0-6, id-b 6-12']);
  story.tell({ kind: 'fetching', epoch: 2 });
  assert.deepEqual(story.wait(60_000), []);
  return story;
}

test('a lost node that is back while files are fetched in its place ends that: the plan that served is deployed', () => {
  const story = fetchingInItsPlace();
  assert.deepEqual(story.join('c', { bootId: 'boot-2' }), ['deploy 3: id-a 0-4, id-b 4-8, id-c 8-12']);
  story.tell({ kind: 'fetching', epoch: 3 });
  assert.deepEqual(story.wait(HOUR_MS), []);
});

test('a node that is drained while files are fetched is done without at once', () => {
  const story = fetchingInItsPlace();
  assert.deepEqual(story.tell({ kind: 'drain', nodeId: 'id-b', now: true }), [
    'suspend-requests',
    'undeploy 2 on id-b',
    'deploy 3: id-a 0-12',
  ]);
});

test('only files that are on their way for a while are said to be: a look at what is there is none', () => {
  const story = fetchingInItsPlace();
  assert.equal(isFetching(story.cluster, story.now), true);
  story.join('c');
  story.tell({ kind: 'fetching', epoch: 3 });
  assert.equal(isFetching(story.cluster, story.now), false);
  assert.equal(isFetching(story.cluster, story.now + 5_000), true);
  story.tell({ kind: 'fetched', epoch: 3 });
  assert.equal(isFetching(story.cluster, story.now + 5_000), false);
});

test('files of a better plan are waited for: what it took the place of would be left again', () => {
  const story = new Story();
  story.join('a');
  assert.deepEqual(story.wait(3_100), ['deploy 1: id-a 0-12']);
  story.bringUp('a');
  story.join('b');
  assert.deepEqual(story.tell({ kind: 'drain', nodeId: 'id-a', now: true }), [
    'undeploy 1 on id-a',
    'deploy 2: id-b 0-12',
  ]);
  story.tell({ kind: 'fetching', epoch: 2 });
  assert.deepEqual(story.tell({ kind: 'undrain', nodeId: 'id-a' }), []);
  assert.deepEqual(story.wait(HOUR_MS), []);
});
