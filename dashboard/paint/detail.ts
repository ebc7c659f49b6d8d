// One node or one request with all that is known of it, on the whole screen.
import { formatRange } from '../../protocol/plan.ts';
import type { ClusterStatus, NodeStatus, RequestStatus, StageStatus } from '../../protocol/status.ts';
import { formatAge, formatBytes, formatDuration, formatNumber, formatShare, printable } from '../format.ts';
import { bar, type GraphKind, memoryBar, resample, SAMPLES_A_CELL, sparkline } from '../graph.ts';
import type { Limiting } from '../limiting.ts';
import type { NodeRow } from '../node-rows.ts';
import type { Series } from '../store.ts';
import { clipLine, type Line, span } from './line.ts';
import { NODE_MARKS, PHASE_MARKS } from './states.ts';
import { fit, wrap } from './text.ts';

const TERM_WIDTH = 13;
const BAR_WIDTH = 24;

export interface NodeDetailPicture {
  row: NodeRow;
  series: Series | undefined;
  limiting: Limiting | null;
  graph: GraphKind;
  columns: number;
}

export function nodeDetailLines({ row, series, limiting, graph, columns }: NodeDetailPicture): Line[] {
  const { mark, tone } = NODE_MARKS[row.state];
  const { stage, node, draft } = row;
  const state = node?.isDrained ? `${row.state}, drained` : row.state;
  const terms = [
    ...(stage === null ? [] : stageTerms(stage)),
    ...(draft ? [draftTerm(draft)] : []),
    ...(node === null ? [] : nodeTerms(node)),
    ...(limiting !== null && limiting.stage === stage?.index ? [['limits', limiting.reason] as const] : []),
  ];
  return [
    [span(`${mark} `, tone), span(printable(row.name), 'title'), span(`  ${state}`, tone)],
    ...graphLines(series, graph, columns),
    ...terms.flatMap(([term, text]) => termLines(term, text, columns)),
  ].map((line) => clipLine(line, columns));
}

/** The last ten minutes, or as many of them as have a place. */
function graphLines(series: Series | undefined, graph: GraphKind, columns: number): Line[] {
  const samples = series?.samples ?? [];
  const width = Math.max(1, columns - TERM_WIDTH);
  const shown = resample(samples, width * SAMPLES_A_CELL[graph]);
  const peak = samples.reduce<number>((max, sample) => Math.max(max, sample ?? 0), 0);
  const span_ = formatAge(samples.length * 1_000);
  return [
    [
      span(fit('tok/s', TERM_WIDTH), 'quiet'),
      span(
        sparkline(shown, peak, Math.min(width, Math.ceil(shown.length / SAMPLES_A_CELL[graph])), graph),
        'accent',
      ),
    ],
    [span(' '.repeat(TERM_WIDTH)), span(`the last ${span_}, at most ${formatNumber(peak)} tok/s`, 'quiet')],
  ];
}

type Term = readonly [string, string];

function stageTerms(stage: StageStatus): Term[] {
  const { weightBytes, kvBytes, usableBytes, busyShare, hop } = stage;
  const used = { weights: weightBytes, kv: kvBytes ?? 0 };
  const memory = `weights ${formatBytes(weightBytes)}, KV ${formatBytes(kvBytes)}, process ${formatBytes(stage.residentBytes)}`;
  const predicted =
    stage.predictedStepMs == null ? '' : `; predicted ${formatDuration(stage.predictedStepMs)} for one row`;
  return [
    [
      'stage',
      `${stage.index + 1}, layers ${formatRange(stage.range)}, ${stage.state}, pid ${stage.pid ?? '–'}`,
    ],
    [
      'now',
      `${formatNumber(stage.tokensPerSecond)} tok/s, of it ${formatNumber(stage.decodeTokensPerSecond)} of answers`,
    ],
    ['step', `${formatDuration(stage.stepTimeMs)} measured${predicted}`],
    [
      'busy',
      `${bar(busyShare, BAR_WIDTH)} ${formatShare(busyShare)} busy, ${formatShare(busyShare === null ? null : 1 - busyShare)} idle`,
    ],
    ...(usableBytes == null
      ? []
      : [
          [
            'memory',
            `${memoryBar(used, usableBytes, BAR_WIDTH)} ${formatBytes(usableBytes - weightBytes - used.kv)} free of ${formatBytes(usableBytes)}`,
          ] as const,
        ]),
    ['', memory],
    ['sends', `${formatBytes(stage.hopBytesPerSecond)}/s to the next stage`],
    ...(hop == null
      ? []
      : [
          [
            'hop to it',
            `${hop.kind}, ${hop.gbps.toFixed(2)} Gb/s, round trip ${formatDuration(hop.rttP50Us / 1_000)} of 14 KiB; ` +
              `${hop.fromAddress} (${hop.fromInterface}) → ${hop.toAddress} (${hop.toInterface})`,
          ] as const,
        ]),
  ];
}

function draftTerm({ state, pid, stats }: NonNullable<NodeRow['draft']>): Term {
  const measured =
    stats === null
      ? ''
      : `; ${formatNumber(stats.guessesPerSecond)} guesses/s, ${formatShare(stats.busyShare)} busy; ` +
        `weights ${formatBytes(stats.weightBytes)}, KV ${formatBytes(stats.kvBytes)}, process ${formatBytes(stats.residentBytes)}`;
  return ['draft', `guesses for the first stage: ${state}, pid ${pid ?? '–'}${measured}`];
}

function nodeTerms({ address, foundBy, chip, cores, memoryBytes, pid, facts }: NodeStatus): Term[] {
  const machine: Term[] = [
    ['agent', `${address}, found by ${foundBy}, pid ${pid}`],
    ['machine', `${facts?.modelName ?? ''} ${chip}, ${cores} cores, ${formatBytes(memoryBytes)}`.trim()],
  ];
  if (facts == null) return machine;
  const { load } = facts;
  const heat = facts.thermalLevel ?? '–';
  const watts = load.watts === null ? '–' : `${load.watts.toFixed(0)} W`;
  return [
    ...machine,
    ['system', facts.os ?? '–'],
    ['GPU', `${formatShare(load.gpuUseShare)} used, ${formatBytes(load.gpuMemoryBytes)} of its memory`],
    ['power', `${watts}, from ${facts.powerSource ?? '–'}, heat ${heat}`],
    ['pressure', `memory ${load.memoryPressure ?? '–'}, ${formatBytes(load.memoryAvailableBytes)} available`],
    ['RDMA', facts.rdma],
  ];
}

export function requestDetailLines(request: RequestStatus, status: ClusterStatus, columns: number): Line[] {
  const { mark, tone } = PHASE_MARKS[request.phase];
  const ahead = request.ahead == null ? '' : `, ${request.ahead} before it`;
  const terms: Term[] = [
    ['client', request.client ?? 'says nothing of itself'],
    ['phase', `${request.phase}${ahead}`],
    ['prompt', `${request.promptTokens} tokens`],
    ['answer', `${request.tokens} tokens, ${formatNumber(request.tokensPerSecond)} tok/s`],
    ['since', formatAge(request.ageMs)],
    ['others', `${status.requestsRunning} running, ${status.requestsWaiting} waiting`],
  ];
  return [
    [span(`${mark} `, tone), span(printable(request.id), 'title')],
    ...terms.flatMap(([term, text]) => termLines(term, text, columns)),
  ].map((line) => clipLine(line, columns));
}

function termLines(term: string, text: string, columns: number): Line[] {
  return wrap(printable(text), Math.max(1, columns - TERM_WIDTH)).map(
    (line, index): Line => [span(fit(index === 0 ? term : '', TERM_WIDTH), 'quiet'), span(line)],
  );
}
