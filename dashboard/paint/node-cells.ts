// The cells of one node's line: its measures while its stage works, otherwise what is the matter with it.
import { formatRange } from '../../protocol/plan.ts';
import type { StageStatus } from '../../protocol/status.ts';
import { formatBytes, formatBytesShort, formatNumber, formatShare, printable } from '../format.ts';
import { bar, type GraphKind, memoryBar, sparkline } from '../graph.ts';
import { COLUMN_ORDER, type ColumnName, type Columns } from '../layout.ts';
import type { NodeRow } from '../node-rows.ts';
import type { Series } from '../store.ts';
import { type Line, type Span, span, type Tone } from './line.ts';
import { NODE_MARKS } from './states.ts';
import { fit } from './text.ts';

export interface NodePicture {
  row: NodeRow;
  series: Series | undefined;
  /** the rate that fills the history's height: one for all nodes, so that they can be compared */
  peak: number;
  columns: Columns;
  graph: GraphKind;
  isSelected: boolean;
  isFocused: boolean;
  isLimiting: boolean;
}

const HEADINGS: Record<ColumnName, string> = {
  name: 'node',
  layers: 'layers',
  rate: 'tok/s',
  history: 'history',
  step: 'step',
  busy: 'busy',
  idle: 'idle',
  memory: 'memory',
  hop: 'sends/s',
  gpu: 'GPU',
  power: 'power',
  heat: 'heat',
  chip: 'chip',
};

const RIGHT: ReadonlySet<ColumnName> = new Set(['rate', 'step', 'idle', 'hop', 'gpu', 'power']);
/** ` 100%` */
const PERCENT_WIDTH = 5;
/** ` 60.7G/17.6G` */
const MEMORY_TEXT_WIDTH = 12;

export function headingLine(columns: Columns, isFocused: boolean): Line {
  const cells = COLUMN_ORDER.flatMap((name, index) => {
    const width = columns[name];
    if (width === undefined) return [];
    const tone: Tone = index === 0 && isFocused ? 'focus' : 'quiet';
    const text = index === 0 ? 'Nodes' : HEADINGS[name];
    return [cell(text, width, name, tone), span(' ')];
  });
  return [span('    '), ...cells];
}

export function nodeLine(picture: NodePicture): Line {
  const { row, columns } = picture;
  const { mark, tone } = NODE_MARKS[row.state];
  const nameTone: Tone = row.state === 'lost' || row.state === 'failed' ? 'bad' : 'plain';
  const range = row.stage === null ? '–' : formatRange(row.stage.range);
  const begin: Line = [
    ...marks(picture, mark, tone),
    cell(
      printable(row.name),
      columns.name ?? 0,
      'name',
      picture.isSelected && picture.isFocused ? 'selected' : nameTone,
    ),
    span(' '),
    ...(columns.layers === undefined ? [] : [cell(range, columns.layers, 'layers', 'plain'), span(' ')]),
  ];
  const { stage } = row;
  if (stage === null || row.state !== 'linked') return [...begin, span(describe(row), tone)];
  const rest = COLUMN_ORDER.slice(2).flatMap((name) => {
    const width = columns[name];
    return width === undefined ? [] : [measure(name, width, stage, picture), span(' ')];
  });
  return [...begin, ...rest];
}

function marks({ isSelected, isFocused, isLimiting }: NodePicture, mark: string, tone: Tone): Span[] {
  return [
    span(isSelected && isFocused ? '▸' : ' ', 'focus'),
    span(mark, tone),
    span(isLimiting ? '◆' : ' ', 'warn'),
    span(' '),
  ];
}

function measure(
  name: ColumnName,
  width: number,
  stage: StageStatus,
  { row, series, peak, graph }: NodePicture,
): Span {
  const machine = row.node?.facts;
  switch (name) {
    case 'rate':
      return cell(formatNumber(stage.tokensPerSecond), width, name, 'title');
    case 'history':
      return cell(sparkline(series?.samples ?? [], peak, width, graph), width, name, 'accent');
    case 'step':
      return cell(stepText(stage.stepTimeMs), width, name);
    case 'busy': {
      const barWidth = Math.max(0, width - PERCENT_WIDTH);
      const share = formatShare(stage.busyShare).padStart(Math.min(width, PERCENT_WIDTH));
      return cell(bar(stage.busyShare, barWidth) + share, width, name);
    }
    case 'idle':
      return cell(formatShare(stage.busyShare === null ? null : 1 - stage.busyShare), width, name, 'quiet');
    case 'memory':
      return cell(memoryText(stage, width), width, name);
    case 'hop':
      return cell(formatBytes(stage.hopBytesPerSecond), width, name);
    case 'gpu':
      return cell(formatShare(machine?.load.gpuUseShare ?? null), width, name);
    case 'power':
      return cell(machine?.load.watts == null ? '–' : `${machine.load.watts.toFixed(0)} W`, width, name);
    case 'heat':
      return cell(machine?.thermalLevel ?? '–', width, name, heatTone(machine?.thermalLevel));
    case 'chip':
      return cell(printable(row.node?.chip ?? ''), width, name, 'quiet');
    default:
      return cell('', width, name);
  }
}

function cell(text: string, width: number, name: ColumnName, tone: Tone = 'plain'): Span {
  return span(fit(text, width, RIGHT.has(name) ? 'right' : 'left'), tone);
}

/** `38.4ms`, `0.6 s`: at most six cells. */
function stepText(ms: number | null): string {
  if (ms === null) return '–';
  return ms < 999.5 ? `${ms < 99.95 ? ms.toFixed(1) : ms.toFixed(0)}ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Weights and KV of what the plan may use there; of the whole where nobody said how much that is. */
export function memoryText(stage: StageStatus, width: number): string {
  const { weightBytes, kvBytes, usableBytes } = stage;
  const used = weightBytes + (kvBytes ?? 0);
  const text = `${formatBytesShort(used)}/${formatBytesShort(usableBytes ?? null)}`;
  const barWidth = width - MEMORY_TEXT_WIDTH;
  if (barWidth < 3 || usableBytes == null) return text;
  const parts = { weights: weightBytes, kv: kvBytes ?? 0 };
  return `${memoryBar(parts, usableBytes, barWidth)} ${text}`;
}

function heatTone(level: string | null | undefined): Tone {
  return level == null || level === 'nominal' ? 'quiet' : 'warn';
}

function describe({ state, stage, node, draft }: NodeRow): string {
  const chip = printable(node?.chip ?? '');
  switch (state) {
    case 'loading':
      return `loading ${formatBytes(stage?.weightBytes ?? null)} of weights`;
    case 'loaded':
      return 'loaded, to be linked';
    case 'failed':
      return 'the stage has failed';
    case 'lost':
      return `lost${node === null ? '' : `, was at ${printable(node.address)}`}`;
    default:
      return `${node?.isDrained ? 'drained' : draft ? `the draft, ${draft.state}` : 'no stage'}: ${chip}, ${formatBytes(node?.memoryBytes ?? null)}`;
  }
}
