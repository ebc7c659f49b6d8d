// The heart with MLX Distributed asked for: it waits for installations, rings run against our own hops' direction, and a
// rank that lost the others is not to blame.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance } from '../../../controller/cluster/advance.ts';
import type { Effect } from '../../../controller/cluster/state.ts';
import type { HopPath } from '../../../controller/links/hop-path.ts';
import { DEFAULT_PLANNING } from '../../../protocol/plan.ts';
import type { EngineState, Split } from '../../../protocol/ranks.ts';
import { hopPath, Story } from './story.ts';

const READY: EngineState = { state: 'ready', versions: { mlx: '1' } };

const asking = (split: Split) =>
  new Story({
    wantedNodes: 3,
    planning: { ...DEFAULT_PLANNING, engine: { choice: 'mlx-distributed', split }, layers: undefined },
  });

const engine = (story: Story, name: string, state: EngineState) =>
  story.tell({ kind: 'node-engine', nodeId: `id-${name}`, engine: state });

/** A way from one node to another, at an address of its own. */
const way = (from: string, to: string, address: string): HopPath => ({
  ...hopPath(`${from} ${to} cable`),
  dialAddress: address,
  listenAddress: address,
});

test('who asks for the engine asks for its installation, and the plan waits for it', () => {
  const story = asking('pipeline');
  for (const name of ['a', 'b', 'c']) assert.deepEqual(story.join(name), []);
  assert.deepEqual(engine(story, 'a', READY), []);
  assert.deepEqual(engine(story, 'b', READY), []);
  assert.deepEqual(engine(story, 'c', { state: 'missing' }), ['install-engine']);
  assert.deepEqual(engine(story, 'c', { state: 'installing', step: 'fetching' }), []);
  assert.deepEqual(story.wait(60_000), []);
  assert.deepEqual(engine(story, 'c', READY), ['deploy 1: id-a 0-4, id-b 4-8, id-c 8-12']);
});

test('a node that could not install it is left out, and said to be', () => {
  const story = asking('pipeline');
  for (const name of ['a', 'b', 'c']) story.join(name);
  engine(story, 'a', READY);
  engine(story, 'b', READY);
  const failed = { state: 'failed', code: 'engine_install_failed', message: 'no network' } as const;
  const [line] = engine(story, 'c', failed);
  assert.match(line ?? '', /^deploy 1: id-a \S+, id-b \S+$/);
  assert.ok(story.told.some((text) => /c: no network/.test(text)));
});

test('each rank listens where the stage after it reaches it by IPv4, and the ring is told from behind', () => {
  const story = asking('pipeline');
  for (const name of ['a', 'b', 'c']) story.join(name);
  const paths = [
    ...[way('a', 'b', '10.0.0.1'), way('b', 'c', '10.0.0.2'), way('c', 'a', '10.0.0.3')],
    ...[way('b', 'a', '10.1.0.1'), way('c', 'b', '10.1.0.2'), way('a', 'c', '10.1.0.3')],
    // faster or not: MLX cannot use it
    way('b', 'a', 'fe80::1%a'),
  ];
  story.tell({ kind: 'links', paths, isPending: false });
  for (const name of ['a', 'b']) engine(story, name, READY);
  const take = (input: Parameters<typeof advance>[1]): Effect[] => advance(story.cluster, input, story.now);
  const [deploy] = take({ kind: 'node-engine', nodeId: 'id-c', engine: READY }).filter(
    ({ kind }) => kind === 'deploy',
  );
  assert.deepEqual(deploy?.kind === 'deploy' && deploy.hopHosts, ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
  const effects = ['10.1.0.1', '10.1.0.2', '10.1.0.3'].flatMap((host, i) =>
    take({
      kind: 'stage-loaded',
      nodeId: `id-${'abc'[i]}`,
      epoch: 1,
      hop: { host, port: 5_000 + i },
      pid: 5,
      weightBytes: 4,
      readLayers: 4,
      kvEpoch: null,
    }),
  );
  const links = effects.filter((effect) => effect.kind === 'link');
  assert.deepEqual(
    links.map(({ nodeId }) => nodeId),
    ['id-a', 'id-b', 'id-c'],
  );
  for (const { ranks, keepsKv } of links) {
    assert.deepEqual(ranks, {
      backend: 'ring',
      hosts: [['10.1.0.3:5002'], ['10.1.0.2:5001'], ['10.1.0.1:5000']],
    });
    assert.equal(keepsKv, false);
  }
});

test('a rank that lost the others is an incident, and no crash of its node', () => {
  const story = asking('tensor');
  for (const name of ['a', 'b', 'c']) story.join(name);
  for (const name of ['a', 'b', 'c']) engine(story, name, READY);
  const used = story.cluster.deployment?.plan.stages.map(({ nodeId }) => nodeId.slice(3)) ?? [];
  assert.equal(used.length, 2);
  const [one = '', other = ''] = used;
  for (let time = 1; time <= 3; time++) {
    story.bringUp(...used);
    story.now += 60_000;
    assert.deepEqual(story.unlinked(one, 'before', '[ring] connection to a peer was lost'), [
      `incident ${2 * time - 1}`,
    ]);
    // and why, a moment later
    assert.deepEqual(story.fail(other), [`incident ${2 * time}`]);
    const lines = story.wait(30_000);
    assert.equal(lines.length, 1, `time ${time}: ${lines.join('; ')}`);
    if (time < 3)
      assert.deepEqual(
        story.cluster.deployment?.plan.stages.map(({ nodeId }) => nodeId.slice(3)),
        used,
      );
  }
  // the one that crashed three times is left out; the one that only lost it is not
  const left = story.cluster.deployment?.plan.stages.map(({ nodeId }) => nodeId.slice(3)) ?? [];
  assert.equal(left.includes(other), false);
  assert.equal(left.includes(one), true);
});

/** Three ranks that serve, each two of them by a way of so many Gbit/s. */
function servingRing(): Story {
  const story = asking('pipeline');
  for (const name of ['a', 'b', 'c']) story.join(name);
  ringWays(story, [1]);
  for (const name of ['a', 'b', 'c']) engine(story, name, READY);
  for (const [i, name] of ['a', 'b', 'c'].entries()) story.listens.set(name, `10.0.0.${i + 1}`);
  story.bringUp('a', 'b', 'c');
  return story;
}

function ringWays(story: Story, gbps: readonly number[]): void {
  const pairs = ['a b', 'b c', 'c a', 'b a', 'c b', 'a c'].map((pair) => pair.split(' ') as [string, string]);
  const paths = gbps.flatMap((speed, network) =>
    pairs.map(([from, to]) => {
      const path = way(from, to, `10.0.${network}.${'abc'.indexOf(to) + 1}`);
      return { ...path, figures: { ...path.figures, gbps: speed } };
    }),
  );
  story.tell({ kind: 'links', paths, isPending: false });
}

test('a faster way for a hop is alone no reason to read all weights again', () => {
  const story = servingRing();
  ringWays(story, [1, 40]);
  assert.deepEqual(story.wait(5_000), []);
});

test('a node that rests, and serves, is not left out by a second look at the plan', () => {
  const story = servingRing();
  story.cluster.mistrust.couldNotLoad('id-b', story.now);
  assert.deepEqual(story.wait(5_000), []);
  assert.equal(story.cluster.deployment?.plan.stages.length, 3);
});
