// What is recommended holds, whatever is plugged in: each port has one cable, the shape is whole, and what may stay stays.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cablingOf } from '../../../../dashboard/setup/cabling/cables.ts';
import { type Recommendation, recommend } from '../../../../dashboard/setup/cabling/recommend.ts';
import { SCENES, type Scene, type SceneCable, sceneNodes } from '../scenes.ts';

const recommended = (scene: Scene): Recommendation => recommend(cablingOf(sceneNodes(scene)));

test('the shape by number, chips and ports', () => {
  const shapes = Object.entries(SCENES).map(([name, scene]) => [name, recommended(scene).shape]);
  assert.deepEqual(Object.fromEntries(shapes), {
    'two-studios': 'cable',
    'four-studios': 'mesh',
    'four-studios-in-a-ring': 'mesh',
    'six-studios': 'mesh',
    'six-m2-ultras': 'ring',
    'five-minis-half-cabled': 'ring',
    'wrong-cables': 'mesh',
    'bridge-loop': 'mesh',
    'rdma-off': 'cable',
    'wifi-only': 'cable',
    'mixed-versions': 'mesh',
  });
  assert.equal(recommended({ macs: 7, cables: [] }).shape, 'ring');
  assert.equal(recommended({ macs: 3, cables: [], portCount: 1 }).shape, 'line');
  assert.equal(recommended({ macs: 3, cables: [], portCount: 0 }).shape, 'none');
});

test('a cabling that is right needs nothing', () => {
  for (const name of ['two-studios', 'four-studios', 'six-studios', 'six-m2-ultras'] as const) {
    const { wanted, superfluous } = recommended(SCENES[name]);
    assert.ok(
      wanted.every(({ isThere }) => isThere),
      name,
    );
    assert.deepEqual(superfluous, [], name);
  }
});

test('a ring goes along the cables that there are, whatever the order of the names', () => {
  const cables: SceneCable[] = [
    [1, 2, 4, 3],
    [4, 2, 2, 3],
    [2, 2, 5, 3],
    [5, 2, 3, 3],
  ];
  const { order, wanted } = recommended({ macs: 5, cables, chip: 'Apple M2 Ultra' });
  assert.equal(wanted.filter(({ isThere }) => isThere).length, 4);
  assert.deepEqual([...order].sort(), [0, 1, 2, 3, 4]);
  const [missing] = wanted.filter(({ isThere }) => !isThere);
  assert.deepEqual([missing?.a.node, missing?.b.node].sort(), [0, 2]);
});

describe('any cabling', () => {
  // a small generator of our own: the same cases on every run
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const anyScene = (): Scene => {
    const macs = 2 + random(6);
    const portCount = 1 + random(6);
    const used = new Set<string>();
    const cables: SceneCable[] = [];
    for (let tries = random(20); tries > 0; tries -= 1) {
      const ends = [
        1 + random(macs),
        1 + random(portCount),
        1 + random(macs),
        1 + random(portCount),
      ] as const;
      const keys = [`${ends[0]}.${ends[1]}`, `${ends[2]}.${ends[3]}`];
      if (keys[0] === keys[1] || keys.some((key) => used.has(key))) continue;
      for (const key of keys) used.add(key);
      cables.push(random(5) === 0 ? [...ends, { throughDock: true }] : ends);
    }
    return { macs, cables, portCount, chip: random(2) === 0 ? 'Apple M2 Ultra' : 'Apple M3 Ultra' };
  };

  test('no port is used twice, and no cable that stays is taken out', () => {
    for (let round = 0; round < 60; round += 1) {
      const scene = anyScene();
      const cabling = cablingOf(sceneNodes(scene));
      const { shape, wanted, superfluous } = recommend(cabling);
      const what = JSON.stringify(scene);
      const ports = wanted.flatMap(({ a, b }) => [a, b]).filter(({ port }) => port !== null);
      const keys = ports.map(({ node, port }) => `${node}.${port}`);
      assert.equal(new Set(keys).size, keys.length, what);
      const kept = wanted.filter(({ isThere }) => isThere).length;
      assert.equal(kept + superfluous.length, cabling.cables.length, what);
      const count = scene.macs;
      const sizes = { none: 0, cable: 1, line: count - 1, ring: count, mesh: (count * (count - 1)) / 2 };
      assert.equal(wanted.length, sizes[shape], what);
      if (shape !== 'mesh') continue;
      const avoided = wanted.flatMap(({ a, b }) => [a, b]).filter(({ port }) => port === 1);
      assert.deepEqual(avoided, [], what);
    }
  });
});
