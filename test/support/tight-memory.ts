// How much memory a node is given so that it holds no more of the demo model than it should.
import { nodeFacts } from '../../agent/facts/machine.ts';
import { readModelCard } from '../../controller/models/card.ts';
import { plannerNode } from '../../controller/planner/from-facts.ts';
import { askedKvTokens, kvTokenBytes, rangeBytes, roomBytes } from '../../controller/planner/memory.ts';
import { openModelFolder } from '../../protocol/model-folder.ts';
import { DEFAULT_PLANNING } from '../../protocol/plan.ts';
import { demoModelDir } from './paths.ts';

/** Memory with which three nodes hold the demo model, and two do not: five of twelve layers with their KV. */
export async function tightMemoryBytes(): Promise<number> {
  const card = await readModelCard(await openModelFolder(demoModelDir));
  const node = plannerNode({ facts: nodeFacts('0123456789abcdef', {}) });
  const kvBytes = kvTokenBytes(card, node, 5) * askedKvTokens(DEFAULT_PLANNING);
  return node.usableBytes - roomBytes(node) + rangeBytes(card, { start: 7, end: 12 }) + kvBytes;
}
