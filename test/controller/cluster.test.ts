// The cluster's heart by transcripts: events in, effects out, on a clock of our own.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { factsOfMac } from '../../agent/facts/mac/assemble.ts';
import {
  advance,
  type Cluster,
  type ClusterInput,
  clusterReason,
  clusterState,
  type Effect,
  newCluster,
} from '../../controller/cluster.ts';
import type { HopPath } from '../../controller/links/hop-path.ts';
import { LINKS_WAIT_MS } from '../../protocol/limits.ts';
import type { ModelCard } from '../../protocol/plan.ts';
import { cardWith } from './planner/support.ts';

const GIB = 2 ** 30;
const CARD: ModelCard = cardWith({ layerBytes: new Array(12).fill(GIB / 10) });

class Story {
  readonly cluster: Cluster;
  now = 0;
  /** where agents were asked to listen; the others listen at their names */
  readonly listens = new Map<string, string>();

  constructor(wantedNodes: number | undefined) {
    this.cluster = newCluster(CARD, wantedNodes);
  }

  tell(input: ClusterInput): string[] {
    return advance(this.cluster, input, this.now)
      .filter((effect) => effect.kind !== 'event')
      .map(line);
  }

  wait(ms: number): string[] {
    this.now += ms;
    return this.tell({ kind: 'tick' });
  }

  join(name: string, bootId = 'boot-1', memoryBytes = 16 * GIB): string[] {
    const facts = {
      id: `id-${name}`,
      name,
      bootId,
      pid: 1,
      platform: 'linux',
      arch: 'x64',
      chip: 'c',
      cores: 2,
      memoryBytes,
      espalierVersion: '0',
    };
    return this.tell({
      kind: 'node-connected',
      node: { facts, address: { host: 'h', port: 1 }, foundBy: 'bonjour', connected: true },
    });
  }

  lose(name: string): string[] {
    return this.tell({ kind: 'node-lost', nodeId: `id-${name}`, reason: 'silent' });
  }

  loaded(name: string, epoch = this.cluster.epoch): string[] {
    return this.tell({
      kind: 'stage-loaded',
      nodeId: `id-${name}`,
      epoch,
      hop: { host: this.listens.get(name) ?? name, port: 9 },
      pid: 5,
      weightBytes: 4,
    });
  }

  /** @param ways `a b cable`: from a to b by an interface that is called so */
  links(ways: readonly string[], isPending = false): string[] {
    return this.tell({ kind: 'links', paths: ways.map(hopPath), isPending });
  }

  linked(name: string, epoch = this.cluster.epoch): string[] {
    return this.tell({ kind: 'stage-linked', nodeId: `id-${name}`, epoch });
  }

  fail(name: string, epoch = this.cluster.epoch): string[] {
    return this.tell({
      kind: 'stage-failed',
      nodeId: `id-${name}`,
      epoch,
      code: 'stage_lost',
      message: 'it crashed',
    });
  }

  serve(...names: string[]): void {
    for (const name of names) this.join(name);
    for (const name of names) this.loaded(name);
    for (const name of names) this.linked(name);
    assert.equal(clusterState(this.cluster), 'serving');
  }
}

function hopPath(text: string): HopPath {
  const [from = '', to = '', name = ''] = text.split(' ');
  const gbps = name === 'cable' ? 16 : 1;
  return {
    ...{ from: `id-${from}`, to: `id-${to}`, kind: 'ethernet', fromInterface: name, toInterface: name },
    ...{
      localAddress: `${from}-${name}`,
      dialAddress: `${to}-${name}%${from}`,
      listenAddress: `${to}-${name}`,
    },
    figures: {
      ...{ rttP50Us: 300, rttP99Us: 400, smallRttP50Us: 200, smallRttP99Us: 300 },
      ...{ gbps, carriedBy: name, kind: 'ethernet' },
    },
  };
}

function line(effect: Effect): string {
  switch (effect.kind) {
    case 'deploy':
      return `deploy ${effect.epoch}: ${effect.plan.stages.map(({ nodeId, range }) => `${nodeId} ${range.start}-${range.end}`).join(', ')}`;
    case 'link':
      return `link ${effect.nodeId} to ${effect.next.host}${effect.from ? ` from ${effect.from}` : ''}`;
    case 'undeploy':
      return `undeploy ${effect.epoch} on ${effect.nodeId}`;
    default:
      return effect.kind;
  }
}

describe('cluster', () => {
  test("a node's machine is kept until the node connects anew; a stranger's is nobody's", () => {
    const story = new Story(2);
    story.join('studio-1');
    const machine = factsOfMac({ commands: {}, serviceInfo: {} }, null);
    assert.deepEqual(story.tell({ kind: 'node-machine', nodeId: 'id-studio-1', machine }), []);
    assert.deepEqual(story.tell({ kind: 'node-machine', nodeId: 'id-stranger', machine }), []);
    assert.deepEqual([...story.cluster.nodes.keys()], ['id-studio-1']);
    story.lose('studio-1');
    assert.equal(story.cluster.nodes.get('id-studio-1')?.machine, machine);
    story.join('studio-1', 'boot-2');
    assert.equal(story.cluster.nodes.get('id-studio-1')?.machine, undefined);
  });

  test('waits for the wanted nodes, deploys in the order of their names, links when all have loaded', () => {
    const story = new Story(3);
    assert.deepEqual(story.join('studio-10'), []);
    assert.deepEqual(story.join('studio-2'), []);
    assert.equal(clusterReason(story.cluster), 'waiting for nodes: 2 of 3 are connected');
    assert.deepEqual(story.join('studio-1'), [
      'deploy 1: id-studio-1 0-4, id-studio-2 4-8, id-studio-10 8-12',
    ]);
    assert.deepEqual(story.loaded('studio-1'), []);
    assert.deepEqual(story.loaded('studio-10'), []);
    assert.equal(clusterReason(story.cluster), '2 of 3 stages have loaded');
    assert.deepEqual(story.loaded('studio-2'), [
      'link id-studio-1 to studio-2',
      'link id-studio-2 to studio-10',
      'link id-studio-10 to studio-1',
    ]);
    for (const name of ['studio-1', 'studio-2', 'studio-10']) story.linked(name);
    assert.equal(clusterState(story.cluster), 'serving');
    assert.equal(clusterReason(story.cluster), null);
  });

  test('without a wanted number it plans when no new node has come for a while', () => {
    const story = new Story(undefined);
    story.join('a');
    assert.deepEqual(story.wait(2_900), []);
    story.join('b');
    assert.deepEqual(story.wait(2_900), []);
    assert.deepEqual(story.wait(200), ['deploy 1: id-a 0-6, id-b 6-12']);
  });

  test('a lost node ends the deployment with an error for its requests, and the rest carries on without it', () => {
    const story = new Story(3);
    story.serve('a', 'b', 'c');
    story.tell({ kind: 'requests', running: 2 });
    assert.deepEqual(story.lose('b'), ['undeploy 1 on id-a', 'undeploy 1 on id-c', 'fail-requests']);
    assert.equal(clusterState(story.cluster), 'degraded');
    assert.match(clusterReason(story.cluster) ?? '', /b is lost: silent/);
    assert.deepEqual(story.wait(600), ['deploy 2: id-a 0-6, id-c 6-12']);
  });

  test('a node that comes back is taken in only when no request would be disturbed', () => {
    const story = new Story(2);
    story.serve('a', 'b');
    story.lose('b');
    story.wait(600);
    story.loaded('a');
    story.linked('a');
    story.tell({ kind: 'requests', running: 1 });
    story.join('b', 'boot-2');
    assert.deepEqual(story.wait(30_000), []);
    story.tell({ kind: 'requests', running: 0 });
    assert.deepEqual(story.wait(1_000), []);
    assert.deepEqual(story.wait(1_500), ['undeploy 2 on id-a', 'deploy 3: id-a 0-6, id-b 6-12']);
  });

  test('a node whose stage could not be loaded is left out, and does not end what serves', () => {
    const story = new Story(undefined);
    story.join('a');
    story.wait(3_100);
    story.loaded('a');
    story.linked('a');
    story.join('b');
    assert.deepEqual(story.wait(3_100), ['undeploy 1 on id-a', 'deploy 2: id-a 0-6, id-b 6-12']);
    story.fail('b');
    assert.deepEqual(story.wait(3_100), ['deploy 3: id-a 0-12']);
    story.loaded('a');
    story.linked('a');
    assert.deepEqual(story.wait(50_000), [], 'b is left alone for a while');
  });

  test('a node that is too small for its part does not stop the others', () => {
    const story = new Story(undefined);
    story.join('air', 'boot-1', GIB / 2);
    story.join('studio-1');
    story.join('studio-2');
    assert.deepEqual(story.wait(3_100), ['deploy 1: id-studio-1 0-6, id-studio-2 6-12']);
    story.loaded('studio-1');
    story.loaded('studio-2');
    story.linked('studio-1');
    story.linked('studio-2');
    assert.deepEqual(story.wait(10_000), [], 'and is no reason to deploy anew');
  });

  test('a linked stage that says nothing any more ends the deployment, with the node named', () => {
    const story = new Story(1);
    story.serve('a');
    assert.deepEqual(story.wait(59_000), []);
    assert.deepEqual(story.wait(2_000), ['undeploy 1 on id-a', 'fail-requests']);
    assert.match(clusterReason(story.cluster) ?? '', /^a: its stage has said nothing/);
  });

  test('a node that holds no stage may come and go', () => {
    const story = new Story(2);
    story.serve('a', 'b');
    story.join('c');
    assert.deepEqual(story.lose('c'), []);
    assert.equal(clusterState(story.cluster), 'serving');
  });

  test('a plan waits for the first measurement of the links, but not for ever', () => {
    const story = new Story(2);
    story.links([], true);
    story.join('a');
    assert.deepEqual(story.join('b'), []);
    assert.equal(clusterReason(story.cluster), 'measuring the links between the nodes');
    assert.deepEqual(story.links(['a b lan', 'b a lan']), ['deploy 1: id-a 0-6, id-b 6-12']);

    const patient = new Story(2);
    patient.links([], true);
    patient.join('a');
    patient.join('b');
    assert.deepEqual(patient.wait(LINKS_WAIT_MS - 1), []);
    assert.deepEqual(patient.wait(1), ['deploy 1: id-a 0-6, id-b 6-12']);
  });

  test('each hop takes the fastest measured way, where the agent listens as it was asked to', () => {
    const story = new Story(3);
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
  });

  test('a hop whose way is gone ends the deployment, and the next one takes another', () => {
    const story = new Story(2);
    story.links(['a b lan', 'a b cable', 'b a lan']);
    story.join('a');
    story.join('b');
    story.listens.set('a', 'a-lan').set('b', 'b-cable');
    for (const name of ['a', 'b']) story.loaded(name);
    for (const name of ['a', 'b']) story.linked(name);
    assert.deepEqual(story.links(['a b lan', 'a b cable']), [
      'undeploy 1 on id-a',
      'undeploy 1 on id-b',
      'fail-requests',
    ]);
    assert.match(clusterReason(story.cluster) ?? '', /^the link from b to a is gone: b-lan \(lan\) → a-lan/);
    story.links(['a b lan', 'b a lan']);
    assert.deepEqual(story.wait(600), ['deploy 2: id-a 0-6, id-b 6-12']);
    story.listens.set('b', 'b-lan');
    story.loaded('a');
    assert.deepEqual(story.loaded('b'), [
      'link id-a to b-lan%a from a-lan',
      'link id-b to a-lan%b from b-lan',
    ]);
    // a way that nobody takes may come and go
    story.linked('a');
    story.linked('b');
    assert.deepEqual(story.links(['a b lan', 'b a lan', 'a b cable']), []);
    assert.deepEqual(story.links(['a b lan', 'b a lan']), []);
  });

  test('an agent that was started anew holds no stage, even if nobody saw it go', () => {
    const story = new Story(2);
    story.serve('a', 'b');
    assert.deepEqual(story.join('a', 'boot-2'), [
      'undeploy 1 on id-a',
      'undeploy 1 on id-b',
      'fail-requests',
    ]);
  });

  test('words of an old epoch change nothing', () => {
    const story = new Story(2);
    story.serve('a', 'b');
    story.fail('a');
    story.wait(600);
    assert.equal(story.cluster.epoch, 2);
    assert.deepEqual(story.fail('b', 1), []);
    assert.deepEqual(story.loaded('a', 1), []);
    assert.equal(clusterReason(story.cluster), '0 of 2 stages have loaded');
  });

  test('a stage that keeps failing is tried again less and less often', () => {
    const story = new Story(1);
    story.join('a');
    const waits: number[] = [];
    for (let round = 0; round < 5; round++) {
      story.fail('a');
      const begin = story.now;
      while (story.wait(100).length === 0) assert.ok(story.now - begin < 60_000, 'it was never tried again');
      waits.push(story.now - begin);
    }
    assert.deepEqual(waits, [500, 1_000, 2_000, 5_000, 10_000]);
    assert.match(clusterReason(story.cluster) ?? '', /0 of 1/);
  });

  test('a model that does not fit says so until a node makes it fit', () => {
    const story = new Story(undefined);
    story.cluster.card.layerBytes.fill(1.5 * GIB);
    try {
      story.join('a');
      story.wait(3_100);
      assert.match(clusterReason(story.cluster) ?? '', /does not fit/);
      story.join('b');
      assert.deepEqual(story.wait(3_100), ['deploy 1: id-a 0-6, id-b 6-12']);
    } finally {
      story.cluster.card.layerBytes.fill(GIB / 10);
    }
  });
});
