// What the planner says of a cluster as it is, also while it is about to change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterPlans } from '../../controller/cluster-plans.ts';
import { planReport } from '../../controller/planner/report.ts';
import { Story } from './cluster/story.ts';

test('the plan in force is told while a drained node still has a stage; another plan leaves that node out', async () => {
  const story = new Story();
  for (const name of ['a', 'b']) story.join(name);
  story.wait(10_000);
  const plans = new ClusterPlans(story.cluster);
  try {
    const { card } = story.cluster;
    const plan = plans.inForce(card.id) ?? assert.fail('nothing is deployed');
    story.cluster.drained.add('id-b');
    const { stages } = planReport(plans.requestBehind(card, plan), plan);
    assert.deepEqual(
      stages.map(({ node }) => node),
      ['a', 'b'],
    );
    const other = await plans.planFor(card);
    assert.deepEqual(
      other.stages.map(({ nodeId }) => nodeId),
      ['id-a'],
    );
  } finally {
    await plans.close();
  }
});
