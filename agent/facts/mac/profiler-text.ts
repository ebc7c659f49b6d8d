// system_profiler's text form, as people paste it: indented blocks of `Key: value`. It makes a tree of it and knows
// nothing of what the blocks mean; the agent itself asks for JSON.
import { lines } from '../text.ts';

export interface ProfilerBlock {
  title: string;
  fields: Record<string, string>;
  blocks: ProfilerBlock[];
}

/** @returns the blocks that are not inside another one */
export function profilerBlocks(text: string): ProfilerBlock[] {
  const root = newBlock('');
  const open: { block: ProfilerBlock; indent: number }[] = [{ block: root, indent: -1 }];
  for (const line of lines(text)) {
    const [, space = '', title, key, value] =
      /^( {0,200})(?:(\S.{0,300}):|(\S[^:]{0,200}): (.{1,1000}))$/.exec(line) ?? [];
    if (title === undefined && key === undefined) continue;
    while (open.length > 1 && (open.at(-1)?.indent ?? -1) >= space.length) open.pop();
    const parent = open.at(-1)?.block ?? root;
    if (title !== undefined) {
      // a title may hold a colon: `Service: Unknown:`
      const block = newBlock(title);
      parent.blocks.push(block);
      open.push({ block, indent: space.length });
    } else if (key !== undefined && value !== undefined) {
      parent.fields[key] = value;
    }
  }
  return root.blocks;
}

function newBlock(title: string): ProfilerBlock {
  return { title, fields: Object.create(null), blocks: [] };
}
