// From nodes to a cluster that serves, by transcripts: events in, effects out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { factsOfMac } from '../../../agent/facts/mac/assemble.ts';
import { clusterReason, clusterState } from '../../../controller/cluster/state.ts';
import { LINKS_WAIT_MS } from '../../../protocol/limits.ts';
import { GIB, Story } from './story.ts';

describe('coming up', () => {
  test("a node's machine is kept until the node connects anew; a stranger's is nobody's", () => {
    const story = new Story({ wantedNodes: 2 });
    story.join('studio-1');
    const machine = factsOfMac({ commands: {}, serviceInfo: {} }, null);
    assert.deepEqual(story.tell({ kind: 'node-machine', nodeId: 'id-studio-1', machine }), []);
    assert.deepEqual(story.tell({ kind: 'node-machine', nodeId: 'id-stranger', machine }), []);
    assert.deepEqual([...story.cluster.nodes.keys()], ['id-studio-1']);
    story.lose('studio-1');
    assert.equal(story.cluster.nodes.get('id-studio-1')?.machine, machine);
    story.join('studio-1', { bootId: 'boot-2' });
    assert.equal(story.cluster.nodes.get('id-studio-1')?.machine, undefined);
  });

  test('waits for the wanted nodes, deploys in the order of their names, links when all have loaded', () => {
    const story = new Story({ wantedNodes: 3 });
    assert.deepEqual(story.join('studio-10'), []);
    assert.deepEqual(story.join('studio-2'), []);
    assert.equal(clusterReason(story.cluster), 'waiting for nodes: 2 of 3 are connected');
    assert.deepEqual(story.join('studio-1'), [
      'deploy 1: id-studio-1 0-4, id-studio-2 4-8, id-studio-10 8-12',
    ]);
    assert.deepEqual(story.loaded('studio-1'), []);
    assert.deepEqual(story.loaded('studio-10'), []);
    story.tell({ kind: 'stage-progress', nodeId: 'id-studio-2', epoch: 1, layers: 3, ofLayers: 4 });
    assert.equal(clusterReason(story.cluster), '2 of 3 stages have loaded, studio-2 has read 3 of 4 layers');
    assert.deepEqual(story.loaded('studio-2'), [
      'link id-studio-1 to studio-2',
      'link id-studio-2 to studio-10',
      'link id-studio-10 to studio-1',
    ]);
    story.linked('studio-1');
    story.linked('studio-2');
    assert.deepEqual(story.linked('studio-10'), ['save 1']);
    assert.equal(clusterState(story.cluster), 'serving');
    assert.equal(clusterReason(story.cluster), null);
  });

  test('without a wanted number it plans when no new node has come for a while', () => {
    const story = new Story();
    story.join('a');
    assert.deepEqual(story.wait(2_900), []);
    story.join('b');
    assert.deepEqual(story.wait(2_900), []);
    assert.deepEqual(story.wait(200), ['deploy 1: id-a 0-6, id-b 6-12']);
  });

  test('a plan waits for the first measurement of the links, but not for ever', () => {
    const story = new Story({ wantedNodes: 2 });
    story.links([], true);
    story.join('a');
    assert.deepEqual(story.join('b'), []);
    assert.equal(clusterReason(story.cluster), 'measuring the links between the nodes');
    assert.deepEqual(story.links(['a b lan', 'b a lan']), ['deploy 1: id-a 0-6, id-b 6-12']);

    const patient = new Story({ wantedNodes: 2 });
    patient.links([], true);
    patient.join('a');
    patient.join('b');
    assert.deepEqual(patient.wait(LINKS_WAIT_MS - 1), []);
    assert.deepEqual(patient.wait(1), ['deploy 1: id-a 0-6, id-b 6-12']);
  });

  test('each hop takes the fastest measured way, where the agent listens as it was asked to', () => {
    const story = new Story({ wantedNodes: 3 });
    story.links(['a b lan', 'a b cable', 'b c lan', 'c a lan', 'c a cable', 'b a cable']);
    for (const name of ['a', 'b', 'c']) story.join(name);
    story.listens.set('b', 'b-cable').set('c', 'c-lan');
    for (const name of ['a', 'b']) story.loaded(name);
    assert.deepEqual(story.loaded('c'), [
      'link id-a to b-cable%a from a-cable',
      'link id-b to c-lan%b from b-lan',
      // a listens where the controller reaches it, whatever it was asked
      'link id-c to a',
    ]);
    for (const name of ['a', 'b', 'c']) story.linked(name);
    assert.equal(story.cluster.deployment?.stages[0]?.hopPath, undefined);
    assert.deepEqual(story.wait(30_000), [], 'and is not asked for it again');
  });

  test('a node whose stage could not be loaded is left out, and does not end what serves', () => {
    const story = new Story();
    story.join('a');
    story.wait(3_100);
    story.bringUp('a');
    story.join('b');
    assert.deepEqual(story.wait(3_100), ['deploy 2: id-a 0-6, id-b 6-12']);
    assert.deepEqual(story.fail('b'), ['incident 1']);
    assert.deepEqual(story.wait(3_100), ['deploy 3: id-a 0-12']);
    story.bringUp('a');
    assert.deepEqual(story.wait(50_000), [], 'b is left alone for a while');
  });

  test('a node that is too small for its part does not stop the others', () => {
    const story = new Story();
    story.join('air', { memoryBytes: GIB / 2 });
    story.join('studio-1');
    story.join('studio-2');
    assert.deepEqual(story.wait(3_100), ['deploy 1: id-studio-1 0-6, id-studio-2 6-12']);
    story.bringUp('studio-1', 'studio-2');
    assert.deepEqual(story.wait(10_000), [], 'and is no reason to deploy anew');
  });

  test('a stage that keeps failing is tried again less and less often', () => {
    const story = new Story({ wantedNodes: 1 });
    story.join('a');
    const waits: number[] = [];
    for (let round = 0; round < 5; round++) {
      story.fail('a');
      const begin = story.now;
      while (story.wait(50).length === 0) assert.ok(story.now - begin < 60_000, 'it was never tried again');
      waits.push(story.now - begin);
    }
    assert.deepEqual(waits, [150, 500, 1_000, 2_000, 5_000]);
    assert.match(clusterReason(story.cluster) ?? '', /0 of 1/);
  });

  test('a model that does not fit says so until a node makes it fit', () => {
    const story = new Story();
    story.cluster.card.layerBytes.fill(1.5 * GIB);
    story.join('a');
    story.wait(3_100);
    assert.match(clusterReason(story.cluster) ?? '', /does not fit/);
    story.join('b');
    assert.deepEqual(story.wait(3_100), ['deploy 1: id-a 0-6, id-b 6-12']);
  });

  test('stages that have loaded and cannot link are not waited for', () => {
    const story = new Story({ wantedNodes: 2 });
    story.join('a');
    story.join('b');
    story.loaded('a');
    story.loaded('b');
    story.linked('a');
    assert.deepEqual(story.wait(10_000), []);
    assert.deepEqual(story.wait(6_000), ['incident 1']);
    assert.match(clusterReason(story.cluster) ?? '', /the stage of b did not link in time/);
  });
});
