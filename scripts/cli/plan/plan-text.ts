// A plan with its reasons as text for people, pure: a table where the terminal is wide enough for it, else two lines a
// stage. Nothing is cut off.
import { formatBytes, formatCount, formatPlural, printable } from '../../../dashboard/format.ts';
import { wrap } from '../../../dashboard/wrap.ts';
import { formatRange } from '../../../protocol/plan.ts';
import type { HopReport, PlanReport, StageReport } from '../../../protocol/plan-report.ts';
import { table } from '../table.ts';
import { BAR_MARKS, memoryBar } from './memory-bar.ts';

const BAR_WIDTH = 20;
const MIN_WIDTH = 40;

/** Several lines without a last line break. @param width of the terminal, in characters */
export function planText(report: PlanReport, width: number): string {
  const columns = Math.max(width, MIN_WIDTH);
  const sections = [
    wrap(headline(report), columns, '  '),
    stages(report, columns),
    figures(report, columns),
    bullets(
      'What limits it',
      report.limits.map(({ of, text }) => `${of}: ${text}`),
      columns,
    ),
    bullets(
      'What would make it better (predicted)',
      report.improvements.map(improvementText(report)),
      columns,
    ),
    bullets('What this rests on', report.assumptions, columns),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

function headline(report: PlanReport): string {
  const { model, stages: all, goal, epoch, leftOut, engineReason } = report;
  const where = epoch === null ? 'On paper' : `In force (epoch ${epoch})`;
  const others = leftOut.length > 0 ? `; without ${leftOut.map(printable).join(', ')}` : '';
  const engine = engineReason === undefined ? '' : `. Engine: ${engineReason}`;
  return `${where}: ${printable(model.id)}, ${formatBytes(model.weightBytes)}, on ${formatPlural(all.length, 'node')} for ${goal}${others}${quality(report)}${engine}`;
}

function quality({ isExact, behindBestShare }: PlanReport): string {
  if (behindBestShare > 0)
    return `; the best plan is predicted to be ${(behindBestShare * 100).toFixed(1)} % faster, not enough to load weights anew`;
  return isExact === false ? '; a good plan, not proven to be the best over so many nodes' : '';
}

function stages(report: PlanReport, width: number): string {
  const heading = [
    'stage',
    'node',
    'chip',
    'layers',
    'step',
    'memory',
    'weights',
    'KV',
    'free',
    'of',
    'to the next',
  ];
  const rows = report.stages.map((stage, i) => {
    const { memory } = stage;
    const hop = report.hops[i];
    return [
      String(stage.index),
      printable(stage.node),
      printable(stage.chip),
      formatRange(stage.range),
      stepText(stage),
      memoryBar(memory, BAR_WIDTH),
      formatBytes(memory.weightBytes),
      formatBytes(memory.kvBytes),
      formatBytes(memory.freeBytes),
      formatBytes(memory.usableBytes),
      hop ? hopText(hop) : '',
    ];
  });
  const wide = table([heading, ...rows], { right: [0, 4, 6, 7, 8, 9] });
  const isWide = wide.split('\n').every((line) => [...line].length <= width);
  const legend = `memory: ${BAR_MARKS.weights} weights ${BAR_MARKS.kv} KV ${BAR_MARKS.scratch} scratch ${BAR_MARKS.free} free; steps and hops are predicted, one token`;
  const body = isWide
    ? wide
    : report.stages.map((stage, i) => narrowStage(stage, report.hops[i], width)).join('\n');
  return `${body}\n${wrap(legend, width, '  ')}`;
}

function narrowStage(stage: StageReport, hop: HopReport | undefined, width: number): string {
  const { memory } = stage;
  const who = `${stage.index}  ${printable(stage.node)} (${printable(stage.chip)}): layers ${formatRange(stage.range)}, ${stepText(stage)} a step`;
  const held =
    `${memoryBar(memory, Math.min(BAR_WIDTH, width - 6))}  ${formatBytes(memory.weightBytes)} weights, ` +
    `${formatBytes(memory.kvBytes)} KV, ${formatBytes(memory.freeBytes)} free of ${formatBytes(memory.usableBytes)}`;
  const lines = [wrap(who, width, '   '), wrap(`   ${held}`, width, '   ')];
  if (hop) lines.push(wrap(`   ↓ ${hopText(hop)}`, width, '     '));
  return lines.join('\n');
}

function figures(
  { predicted, draft, longestContextTokens, kvTokens, stages: all }: PlanReport,
  width: number,
): string {
  const { asked, prefill } = predicted;
  const rows = [
    ['one stream', `${speed(predicted.oneStream)} tok/s, predicted`],
    ...guessedRow(predicted.guessed ?? []),
    ...draftRow(draft),
    ...(all.length > 1
      ? [['all stages busy', `${speed(predicted.allStagesBusy)} tok/s with ${all.length} streams, predicted`]]
      : []),
    [
      'as asked',
      `${speed(asked.tokensPerSecond)} tok/s with ${formatPlural(asked.streams, 'stream')} of ${formatCount(asked.contextTokens)} tokens each, predicted`,
    ],
    [
      'prefill',
      `${speed(prefill.tokensPerSecond)} tok/s of a prompt of ${formatCount(prefill.promptTokens)} tokens, predicted`,
    ],
    [
      'longest context',
      `${formatCount(longestContextTokens)} tokens; KV for ${formatCount(kvTokens)} in all conversations together`,
    ],
  ];
  const label = Math.max(...rows.map(([name = '']) => name.length)) + 2;
  return rows
    .map(([name = '', text = '']) => wrap(name.padEnd(label) + text, width, ' '.repeat(label)))
    .join('\n');
}

function guessedRow(guessed: NonNullable<PlanReport['predicted']['guessed']>): string[][] {
  if (guessed.length === 0) return [];
  const each = guessed.map(
    ({ yieldShare, oneStream, source }) =>
      `${speed(oneStream)} tok/s where ${Math.round(yieldShare * 100)} % of the guesses are right${source === 'measured' ? ' (as measured)' : ''}`,
  );
  return [['… guessing', `${each.join(', ')}, predicted`]];
}

function draftRow(draft: PlanReport['draft']): string[][] {
  if (!draft) return [];
  const { place, node, bytes, guessMs, roundTripMs, reason } = draft;
  const where = place === 'head' ? 'beside the first stage' : 'in a process of its own';
  const far = roundTripMs === null ? '' : ` and a round trip of ${milliseconds(roundTripMs)}`;
  return [
    [
      '… the draft',
      `on ${printable(node)}, ${where}: ${formatBytes(bytes)}, ${milliseconds(guessMs)} a guess${far}, predicted; ${printable(reason)}`,
    ],
  ];
}

function improvementText(report: PlanReport): (improvement: PlanReport['improvements'][number]) => string {
  const figure = report.goal === 'latency' ? 'oneStream' : 'allStagesBusy';
  const what = figure === 'oneStream' ? 'for one stream' : 'with all stages busy';
  return (improvement) =>
    `${printable(improvement.change)}: +${Math.round(improvement.gainShare * 100)} % (${speed(improvement[figure])} tok/s ${what})`;
}

function bullets(title: string, texts: readonly string[], width: number): string {
  if (texts.length === 0) return '';
  return [title, ...texts.map((text) => wrap(`  - ${printable(text)}`, width, '    '))].join('\n');
}

function stepText({ decodeMs, source }: StageReport): string {
  return `${milliseconds(decodeMs)}${source === 'measured' ? ' (as measured)' : ''}`;
}

function hopText({ link, hopMs }: HopReport): string {
  return `${printable(link.label)}, ${milliseconds(hopMs)}${link.source === 'measured' ? ' (as measured)' : ''}`;
}

function milliseconds(ms: number): string {
  return ms < 9.95 ? `${ms.toFixed(2)} ms` : `${ms.toFixed(1)} ms`;
}

function speed(tokensPerSecond: number): string {
  return tokensPerSecond < 99.95 ? tokensPerSecond.toFixed(1) : formatCount(Math.round(tokensPerSecond));
}
