// Another model in the place of the one that is deployed, by transcripts: events in, effects out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestInForce } from '../../../controller/cluster/deploying.ts';
import type { ClusterInput } from '../../../controller/cluster/state.ts';
import { clusterState } from '../../../controller/cluster/state.ts';
import type { Plan } from '../../../protocol/plan.ts';
import { Story } from './story.ts';

/** The model of the story under another name, planned as it is deployed. */
function otherModel({ cluster }: Story): ClusterInput & { kind: 'model' } {
  const plan = { ...(cluster.deployment?.plan as Plan), modelId: 'other' };
  return { kind: 'model', card: { ...cluster.card, id: 'other' }, modelFingerprint: 'other-files', plan };
}

test('the stages end, and the new model is deployed at once by the plan that its files were fetched for', () => {
  const story = new Story({ wantedNodes: 3 });
  story.serve('a', 'b', 'c');
  const told = story.tell(otherModel(story));
  assert.equal(told.filter((each) => each.startsWith('undeploy 1')).length, 3, told.join('\n'));
  assert.equal(told.at(-1), 'deploy 2: id-a 0-4, id-b 4-8, id-c 8-12');
  assert.equal(story.cluster.card.id, 'other');
  assert.equal(clusterState(story.cluster), 'recovering', 'requests wait for it');
});

test('a node that was told of the old model and never said that it had loaded it ends it, too', () => {
  const story = new Story({ wantedNodes: 2 });
  story.join('a');
  story.join('b');
  const told = story.tell(otherModel(story));
  assert.deepEqual(told.slice(0, 2), ['undeploy 1 on id-a', 'undeploy 1 on id-b']);
});

test('plans reckon with the guesses of the model that they are for', () => {
  const { planning } = new Story().cluster;
  const story = new Story({ wantedNodes: 2, planning: { ...planning, guessYield: 0.7 } });
  story.serve('a', 'b');
  story.tell({ ...otherModel(story), guessYield: 0.25 });
  assert.equal(requestInForce(story.cluster)?.guessYield, 0.25);
});

test('what still runs of the old model fails before its stages end', () => {
  const story = new Story({ wantedNodes: 2 });
  story.serve('a', 'b');
  story.requests(2);
  assert.equal(story.tell(otherModel(story))[0], 'fail-requests not_ready');
});

test('a node of the plan that is gone meanwhile is planned without', () => {
  const story = new Story({ wantedNodes: 2 });
  story.serve('a', 'b');
  const chosen = otherModel(story);
  story.lose('b');
  story.tell(chosen);
  assert.deepEqual(
    story.cluster.deployment?.plan.stages.map(({ nodeId }) => nodeId),
    ['id-a'],
  );
});
