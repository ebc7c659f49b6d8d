// The pipeline: the nodes in the order in which a token passes them, the hops between, and which one limits it.
import type { NodeStatus, StageStatus } from '../../protocol/status.ts';
import { formatBytes, formatDuration, formatPlural, formatShare, printable } from '../format.ts';
import { type GraphKind, memoryBar } from '../graph.ts';
import { type Columns, chooseColumns, type Density } from '../layout.ts';
import type { Limiting } from '../limiting.ts';
import type { NodeRow } from '../node-rows.ts';
import { windowOf } from '../shown.ts';
import type { Series } from '../store.ts';
import { clipLine, joinFitting, type Line, span } from './line.ts';
import { headingLine, nodeLine } from './node-cells.ts';

/** From this width on the table's own column has a bar. */
const MEMORY_WITH_BAR = 14;

export interface PipelinePicture {
  rows: readonly NodeRow[];
  /** the row that keys act on */
  selected: number;
  isFocused: boolean;
  series: ReadonlyMap<string, Series>;
  limiting: Limiting | null;
  density: Density;
  /** below the heading */
  lines: number;
  columns: number;
  graph: GraphKind;
}

export function pipelineLines(picture: PipelinePicture): Line[] {
  const { rows, selected, isFocused, series, limiting, density, columns } = picture;
  const table = chooseColumns(columns);
  const heading = clipLine(headingLine(table, isFocused), columns);
  if (rows.length === 0)
    return [heading, clipLine([span('    no node: start one with `espalier agent`', 'quiet')], columns)];
  const room = Math.max(1, Math.floor(picture.lines / density));
  const { begin, shown } = windowOf(rows.length, selected, room);
  const peak = peakOf(series);
  const stageCount = rows.filter(({ stage }) => stage !== null).length;
  const drawn = rows.slice(begin, begin + shown).flatMap((row, offset) => {
    const isSelected = begin + offset === selected;
    const isLimiting = limiting !== null && row.stage?.index === limiting.stage;
    const own = row.node ? series.get(row.node.id) : undefined;
    const line = nodeLine({
      ...{ row, peak, isSelected, isFocused, isLimiting, columns: table, graph: picture.graph },
      series: own,
    });
    return [line, ...below(row, rows, density, stageCount, table, columns)];
  });
  const more = rows.length - shown;
  return [
    heading,
    ...drawn.map((line) => clipLine(line, columns)),
    ...(more > 0 && (shown + 1) * density <= Math.max(picture.lines, density + 1)
      ? [clipLine([span(`    ${moreText(rows, begin, shown)}`, 'quiet')], columns)]
      : []),
  ];
}

function below(
  row: NodeRow,
  rows: readonly NodeRow[],
  density: Density,
  stageCount: number,
  table: Columns,
  columns: number,
): Line[] {
  const { stage } = row;
  if (density === 1) return [];
  if (stage === null || row.state !== 'linked') return density === 3 ? [[], []] : [[]];
  const isLast = stage.index === stageCount - 1;
  const hop = hopLine(stage, nextOf(row, rows, stageCount), isLast, columns);
  return density === 3 ? [machineLine(stage, row.node, isLast, table, columns), hop] : [hop];
}

function nextOf(row: NodeRow, rows: readonly NodeRow[], stageCount: number): NodeRow | undefined {
  const next = ((row.stage?.index ?? 0) + 1) % stageCount;
  return rows.find(({ stage }) => stage?.index === next);
}

/** The hop that leaves a stage: the way is told by the stage that it leads to. */
function hopLine(stage: StageStatus, next: NodeRow | undefined, isLast: boolean, columns: number): Line {
  const sends = `${formatBytes(stage.hopBytesPerSecond)}/s`;
  const way = next?.stage?.hop ?? null;
  const to = isLast ? `tokens back to ${printable(next?.name ?? '')}` : 'hidden states';
  const measured =
    way === null
      ? [[span('not measured', 'quiet')] as Line]
      : [
          [span(way.kind, 'accent')] as Line,
          [span(`${way.gbps.toFixed(way.gbps < 10 ? 2 : 1)} Gb/s`)] as Line,
          [span(`round trip ${formatDuration(way.rttP50Us / 1_000)}`)] as Line,
          [span(`${printable(way.fromInterface)} → ${printable(way.toInterface)}`, 'quiet')] as Line,
        ];
  const begin = isLast ? ' ╰─↺ ' : ' │ ↓ ';
  if (next === undefined || next.stage === stage) return [];
  return [
    span(begin, 'quiet'),
    ...joinFitting([[span(sends)], ...measured, [span(to, 'quiet')]], columns - begin.length),
  ];
}

/** Memory in its parts, and what the machine says of itself; what is not known is left out. */
function machineLine(
  stage: StageStatus,
  node: NodeStatus | null,
  isLast: boolean,
  table: Columns,
  columns: number,
): Line {
  const { weightBytes, kvBytes, usableBytes, predictedStepMs } = stage;
  const memory =
    usableBytes == null
      ? []
      : [
          ...((table.memory ?? 0) > MEMORY_WITH_BAR
            ? []
            : [[span(memoryBar({ weights: weightBytes, kv: kvBytes ?? 0 }, usableBytes, 16))] as Line]),
          [span(`weights ${formatBytes(weightBytes)}`)] as Line,
          [span(`KV ${formatBytes(kvBytes)}`)] as Line,
          [span(`free ${formatBytes(usableBytes - weightBytes - (kvBytes ?? 0))}`)] as Line,
        ];
  const step =
    predictedStepMs == null
      ? []
      : [[span(`step predicted ${formatDuration(predictedStepMs)}`, 'quiet')] as Line];
  const load = node?.facts?.load;
  const machine = [
    load?.gpuUseShare == null || table.gpu !== undefined ? '' : `GPU ${formatShare(load.gpuUseShare)}`,
    load?.watts == null || table.power !== undefined ? '' : `${load.watts.toFixed(0)} W`,
    node?.facts?.thermalLevel == null || table.heat !== undefined ? '' : `heat ${node.facts.thermalLevel}`,
    `process ${formatBytes(stage.residentBytes)}`,
    table.chip === undefined ? printable(node?.chip ?? '') : '',
  ].filter((text) => text !== '');
  const begin = isLast ? '   ' : ' │ ';
  const parts = [...memory, ...machine.map((text): Line => [span(text, 'quiet')]), ...step];
  return [span(begin, 'quiet'), span(' '), ...joinFitting(parts, columns - begin.length - 1)];
}

function moreText(rows: readonly NodeRow[], begin: number, shown: number): string {
  const hidden = [...rows.slice(0, begin), ...rows.slice(begin + shown)];
  const notWell = hidden.filter(({ state }) => state === 'lost' || state === 'failed').length;
  const more = `and ${formatPlural(hidden.length, 'more node')}: j and k lead there`;
  return notWell === 0 ? more : `${more}; ${notWell} of them lost or failed`;
}

function peakOf(series: ReadonlyMap<string, Series>): number {
  let peak = 0;
  for (const { samples } of series.values()) for (const sample of samples) peak = Math.max(peak, sample ?? 0);
  return peak;
}
