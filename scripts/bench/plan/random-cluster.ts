// Clusters that no two nodes of are alike, the hardest for a planner: nothing can be left out of the search.
import { builtinCard } from '../../../controller/models/builtin.ts';
import type { NodeLink, PlannerNode, PlanRequest } from '../../../controller/planner/inputs.ts';
import { estimatedLink } from '../../../controller/planner/links.ts';
import type { Goal } from '../../../protocol/plan.ts';

const GIB = 2 ** 30;
const BANDWIDTHS_GBPS = [120, 273, 410, 546, 800, 819];
const MEMORIES_GIB = [64, 96, 128, 192, 256, 512];

/** R1 4-bit on so many nodes, half of all pairs linked by something of their own. The same for the same seed. */
export function randomCluster(nodeCount: number, goal: Goal, seed: number): PlanRequest {
  const random = chance(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const nodes = Array.from({ length: nodeCount }, (_, i): PlannerNode => {
    const memoryBytes = pick(MEMORIES_GIB) * GIB;
    return {
      id: `node-${i}`,
      name: `node-${i}`,
      chip: `chip ${i}`,
      memoryBytes,
      usableBytes: memoryBytes * 0.75,
      usableSource: 'estimate',
      bandwidthGBps: pick(BANDWIDTHS_GBPS) * (0.9 + 0.2 * random()),
      computeTflops: 5 + 20 * random(),
      valueBytes: 2,
    };
  });
  const links: NodeLink[] = [];
  for (const [i, a] of nodes.entries()) {
    for (const b of nodes.slice(i + 1)) {
      if (random() < 0.5) continue;
      const link = estimatedLink(pick(['thunderbolt-5', 'thunderbolt-4', '10gbe', 'wifi'] as const));
      links.push({
        between: [a.id, b.id],
        link: { ...link, roundTripMs: link.roundTripMs * (0.5 + random()) },
      });
    }
  }
  const card = builtinCard('deepseek-r1-4bit');
  return { card, nodes, links, otherLink: estimatedLink('gbe'), goal, contextTokens: 16_384, streams: 1 };
}

/** Numerical Recipes' linear congruential generator: the same numbers from the same seed. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
