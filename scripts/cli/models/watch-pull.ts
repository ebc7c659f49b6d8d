// Shows a pull until it ends: one line that is written over on a terminal, a line every few seconds elsewhere.
import { isPulling, pullLine } from '../../../dashboard/pull-text.ts';
import type { PullProgress } from '../../../protocol/models.ts';
import { followPull } from './ask-models.ts';
import { nodeLines, pulledText } from './models-text.ts';

const LINE_MS = 5_000;

/** @throws what `followPull` throws */
export async function watchPull(controllerUrl: string, pull: PullProgress, isJson: boolean): Promise<void> {
  const isTerminal = process.stderr.isTTY && !isJson;
  let shownLines = 0;
  let saidAt = Number.NEGATIVE_INFINITY;
  const show = (progress: PullProgress) => {
    if (!isPulling(progress)) return;
    if (isTerminal) {
      const width = process.stderr.columns || 80;
      const lines = [pullLine(progress), ...nodeLines(progress)].map((line) => line.slice(0, width - 1));
      process.stderr.write(`${clear(shownLines)}${lines.join('\n')}\n`);
      shownLines = lines.length;
    } else if (!isJson && performance.now() - saidAt > LINE_MS) {
      saidAt = performance.now();
      process.stderr.write(`${pullLine(progress)}\n`);
    }
  };
  const done = await followPull(controllerUrl, pull, show);
  if (isTerminal) process.stderr.write(clear(shownLines));
  console.log(isJson ? JSON.stringify(done, null, 2) : pulledText(done));
}

/** Goes up over what was written, and wipes it. */
function clear(lines: number): string {
  return lines === 0 ? '' : `\u001b[${lines}A\u001b[J`;
}
