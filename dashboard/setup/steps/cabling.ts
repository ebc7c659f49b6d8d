// Step 4 of a controller: the cables that there are, those that should be, and what else the nodes tell that a person can mend.
import type { LinksReport } from '../../../protocol/links.ts';
import type { ClusterStatus } from '../../../protocol/status.ts';
import { printable } from '../../format.ts';
import { adviceOf } from '../advice.ts';
import { cablingOf } from '../cabling/cables.ts';
import { cablingWork, drawSeen, drawWanted } from '../cabling/draw.ts';
import { recommend } from '../cabling/recommend.ts';
import type { Step } from '../step.ts';
import { BLANK, fixed, type Line, linesOf } from '../talk.ts';

export const cabling: Step = async ({ talk, actions, answers }) => {
  const look = async () => {
    const [status, links] = await Promise.all([actions.status(), actions.links()]);
    return { lines: cablingLines(status, links), options: [{ value: 'on', label: 'go on' }] };
  };
  const { lines, options } = await look();
  talk.show(lines);
  const question = 'Change cables as long as you like: this page follows.';
  await talk.choose({ question, options, initial: 'on', look });
  return answers;
};

/** The page, from what the controller tells. Pure. */
export function cablingLines({ nodes }: ClusterStatus, links: LinksReport): Line[] {
  const seen = cablingOf(nodes);
  const wanted = recommend(seen);
  const work = cablingWork(seen, wanted);
  const isUseful = wanted.shape !== 'none';
  return [
    ...section('Cables that are there', fixed(drawSeen(seen)), isUseful ? 'None.' : undefined),
    ...section(isUseful ? 'Recommended' : 'Links', [
      ...linesOf([wanted.why]),
      ...fixed(drawWanted(seen, wanted)),
    ]),
    ...(wanted.shape === 'mesh'
      ? linesOf(['(the numbers are Thunderbolt ports; in brackets: no cable yet)'], 'quiet')
      : []),
    ...section(
      'To do',
      linesOf(work, 'warn'),
      isUseful ? 'Nothing: all cables are where they should be.' : undefined,
    ),
    ...adviceOf(nodes, seen.nodes).flatMap(({ text, todo }) => [
      { text: `! ${text}`, tone: 'warn' } satisfies Line,
      ...linesOf(todo.map((line) => `  → ${line}`)),
    ]),
    ...links.findings.flatMap(({ severity, text, fix }): Line[] => [
      {
        text: `${severity === 'info' ? 'i' : '!'} ${printable(text)}`,
        tone: severity === 'info' ? 'quiet' : 'warn',
      },
      { text: `  → ${printable(fix)}` },
    ]),
    ...(links.waiting > 0 ? linesOf(['The links between the nodes are being measured.'], 'quiet') : []),
  ];
}

function section(title: string, lines: readonly Line[], without?: string): Line[] {
  if (lines.length === 0 && without === undefined) return [];
  const shown: readonly Line[] = lines.length > 0 ? lines : [{ text: without ?? '', tone: 'quiet' }];
  return [{ text: title, tone: 'title' }, ...shown, BLANK];
}
