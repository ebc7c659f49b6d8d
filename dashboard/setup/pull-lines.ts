// A pull that runs, as the lines of a page: all of it, then each node with the files that move to it. Pure.
import type { PullProgress } from '../../protocol/models.ts';
import { printable } from '../format.ts';
import { diskBytes, movesOf, percent, pullLine } from '../pull-text.ts';
import { BLANK, type Line } from './talk.ts';

const BAR_CELLS = 12;

export function pullLines(pull: PullProgress): Line[] {
  const width = Math.max(0, ...pull.nodes.map(({ node }) => printable(node).length));
  return [
    { text: printable(pullLine(pull)), tone: 'title' },
    ...movedLines(pull),
    ...pull.damaged.map(
      (text): Line => ({ text: `! damaged, and fetched anew: ${printable(text)}`, tone: 'warn' }),
    ),
    BLANK,
    ...pull.nodes.flatMap((node): Line[] => {
      const { doneBytes, totalBytes, files, filesDone } = node;
      const share = percent(doneBytes, totalBytes, 100);
      const sums = `${diskBytes(doneBytes)} of ${diskBytes(totalBytes)}, ${filesDone} of ${files} files`;
      return [
        {
          text: `${filesDone === files ? '●' : '○'} ${printable(node.node).padEnd(width)}  ${bar(share)}  ${sums}`,
          tone: filesDone === files ? 'good' : 'plain',
        },
        ...(filesDone < files ? movesOf(node) : []).map(
          (text): Line => ({ text: `    ${printable(text)}`, tone: 'quiet' }),
        ),
      ];
    }),
    BLANK,
    { text: 'It goes on when you leave the wizard, and the next start of it shows it again.', tone: 'quiet' },
  ];
}

function movedLines({ state, hubBytes, copiedBytes }: PullProgress): Line[] {
  if (state === 'describing') return [];
  return [{ text: `${diskBytes(hubBytes)} came from the hub, ${diskBytes(copiedBytes)} from node to node.` }];
}

function bar(share: number): string {
  const full = Math.round((share / 100) * BAR_CELLS);
  return '█'.repeat(full) + '░'.repeat(BAR_CELLS - full);
}
