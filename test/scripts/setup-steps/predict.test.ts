import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinCard } from '../../../controller/models/builtin.ts';
import type { LinksReport } from '../../../protocol/links.ts';
import { paperPlan } from '../../../scripts/cli/plan/paper-plan.ts';
import { predictPlan } from '../../../scripts/setup-steps/predict.ts';
import { QUIET_LINKS, SCENES, sceneNodes } from '../../dashboard/setup/scenes.ts';

const R1 = builtinCard('deepseek-r1-4bit');

/** Each two nodes reach one another by Thunderbolt. */
function measured(ids: readonly string[], gbps: number): LinksReport {
  const figures = {
    rttP50Us: 700,
    rttP99Us: 900,
    smallRttP50Us: 600,
    smallRttP99Us: 800,
    gbps,
    carriedBy: 'en3',
  };
  const there = { ...figures, kind: 'thunderbolt' as const };
  const end = { address: 'fe80::1%en3', interface: 'en3', kind: 'thunderbolt' as const };
  const paths = [{ from: end, to: end, there, back: there, measuredAt: 0 }];
  const pairs = ids.flatMap((a, i) =>
    ids.slice(i + 1).map((b) => ({
      a: { id: a, name: a },
      b: { id: b, name: b },
      isSameMachine: false,
      measuredAt: 0,
      failure: null,
      paths,
      misses: [],
    })),
  );
  return { ...QUIET_LINKS, pairs };
}

test('what the status tells of six Macs gives the plan that the same Macs get on paper', () => {
  const scene = { ...SCENES['six-m2-ultras'], each: () => ({ memoryGib: 192, wiredLimitMb: 184_320 }) };
  const gib = 1024 ** 3;
  const nodes = sceneNodes(scene).map((node) => ({ ...node, memoryBytes: 192 * gib }));
  const links = measured(
    nodes.map(({ id }) => id),
    16,
  );
  const report = predictPlan(R1, nodes, links);
  const wishes = { card: R1, goal: 'throughput' as const, contextTokens: 16_384, streams: 1, pins: {} };
  const paper = paperPlan('6x Mac Studio M2 Ultra 192GB limit 180GB, thunderbolt mesh', wishes);
  assert.deepEqual(
    report.stages.map(({ range }) => range),
    paper.stages.map(({ range }) => range),
  );
  assert.equal(report.predicted.oneStream, paper.predicted.oneStream);
  assert.ok(report.hops.every(({ link }) => link.source === 'measured'));
});

test('one Mac that is too small: what is missing is said; a lost node does not count', () => {
  const scene = { macs: 2, cables: [], each: () => ({ memoryGib: 64, wiredLimitMb: 0 }) };
  const nodes = sceneNodes(scene).map((node) => ({ ...node, memoryBytes: 64 * 1024 ** 3 }));
  assert.throws(() => predictPlan(R1, nodes, QUIET_LINKS), { code: 'not_enough_nodes' });
  const [first, second] = sceneNodes({ macs: 2, cables: [] });
  assert.ok(first && second);
  const { stages } = predictPlan(R1, [first, { ...second, state: 'lost' }], QUIET_LINKS);
  assert.deepEqual(
    stages.map(({ nodeId }) => nodeId),
    [first.id],
  );
});
