// What the screen means and which keys it takes; both fit 60 x 16.
import { clipLine, type Line, span } from './line.ts';
import { fit } from './text.ts';

const TERMS: readonly (readonly [string, string])[] = [
  ['j k ↓ tab', 'next, previous; the next pane'],
  ['enter / esc', 'all of a node or request; filter; back'],
  ['t p', 'ask the cluster; pause the picture'],
  ['c d a', 'cancel a request; drain a node; pair one'],
  ['q ?', 'quit; this help and back'],
  ['tok/s', 'tokens through the stage, prompt and answer'],
  ['step', 'mean time of a decode step, compute and sending'],
  ['busy', 'share of the time that the stage computes'],
  ['◆', 'limits the others: the reason is below the nodes'],
  ['█ ▓ ░', 'memory: weights, KV, free of what may be used'],
  ['● ◑ ◔ ○ ✗', 'linked, loaded, loading, no stage, gone'],
  ['–', 'not measured yet'],
];
const TERM_WIDTH = 12;

export function helpLines(columns: number): Line[] {
  return [
    [span('Keys, and what the screen says', 'title')] as Line,
    ...TERMS.map(([term, meaning]): Line => [span(fit(term, TERM_WIDTH), 'accent'), span(meaning)]),
  ].map((line) => clipLine(line, columns));
}
