// A snapshot as text for people, pure. The columns are as wide as their values; nothing is cut off.
import {
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
  formatNumber,
  formatPlural,
  formatShare,
  printable,
  UNMEASURED,
} from '../../dashboard/format.ts';
import { type NodeRow, nodeRows } from '../../dashboard/node-rows.ts';
import { formatRange } from '../../protocol/plan.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import { table } from './table.ts';

const EVENTS_SHOWN = 5;
const FINDINGS_SHOWN = 3;

/** Several lines without a last line break. */
export function statusReport(status: ClusterStatus, controllerUrl: string): string {
  const sections = [
    headline(status, controllerUrl),
    totals(status),
    stages(status),
    others(status),
    links(status),
    events(status),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

function headline(status: ClusterStatus, controllerUrl: string): string {
  const line = `Espalier ${printable(status.espalierVersion)} at ${controllerUrl}: ${status.state}`;
  return status.reason === null ? line : `${line}\n  ! ${printable(status.reason)}`;
}

function totals(status: ClusterStatus): string {
  const { model, kv, draft } = status;
  const modelText =
    model === null
      ? 'none yet'
      : `${printable(model.id)} (${printable(model.architecture)}, ${formatPlural(model.layerCount, 'layer')}, ` +
        `${printable(model.quantization)}, context of ${formatPlural(model.contextTokens, 'token')})`;
  return table([
    ['model', modelText],
    ['engine', `${status.engine}, epoch ${status.epoch}`],
    [
      'speed',
      `${formatNumber(status.tokensPerSecond)} tok/s now, ${formatNumber(status.tokensPerSecondMinute)} tok/s over the ` +
        `last minute, first token after ${formatDuration(status.timeToFirstTokenMs)}`,
    ],
    [
      'requests',
      `${formatCount(status.requestsRunning)} running, ${formatCount(status.requestsWaiting)} waiting, ` +
        `${formatCount(status.requestsCompleted)} done, ${formatCount(status.requestsFailed)} failed, ` +
        `${formatPlural(status.tokensTotal, 'token')} in all`,
    ],
    ...(draft ? [['draft', draftText(draft)]] : []),
    ...(kv
      ? [
          [
            'KV',
            `${formatCount(kv.liveTokens)} of ${formatPlural(kv.totalTokens, 'token')} in use, ` +
              `${formatCount(kv.keptTokens)} kept for later turns`,
          ],
        ]
      : []),
  ]);
}

function draftText({ place, node, state, pid, stats }: NonNullable<ClusterStatus['draft']>): string {
  if (place === 'head') return `beside the first stage, on ${printable(node)}`;
  const rate = stats === null ? '' : `, ${formatNumber(stats.guessesPerSecond)} guesses/s`;
  const held = stats === null ? '' : `, ${formatBytes(stats.residentBytes)} resident`;
  return `on ${printable(node)}, ${state}, pid ${pid ?? UNMEASURED}${rate}${held}`;
}

function stages(status: ClusterStatus): string {
  const rows = nodeRows(status).filter((row) => row.stage !== null);
  if (rows.length === 0) return 'No stages yet.';
  const heading = ['node', 'layers', 'state', 'pid', 'tok/s', 'step ms', 'busy', 'weights', 'resident', 'KV'];
  return table([heading, ...rows.map(stageCells)], { right: [3, 4, 5, 6, 7, 8, 9] });
}

function stageCells({ name, state, stage }: NodeRow): string[] {
  if (stage === null) return [printable(name)];
  return [
    printable(name),
    formatRange(stage.range),
    state,
    String(stage.pid ?? UNMEASURED),
    formatNumber(stage.tokensPerSecond),
    formatNumber(stage.stepTimeMs),
    formatShare(stage.busyShare),
    formatBytes(stage.weightBytes),
    formatBytes(stage.residentBytes),
    formatBytes(stage.kvBytes),
  ];
}

function others(status: ClusterStatus): string {
  const rows = nodeRows(status).filter((row) => row.stage === null);
  if (rows.length === 0) return '';
  const cells = rows.map(({ name, state, node, draft }) => [
    printable(name),
    state === 'lost' ? 'lost' : draft ? 'draft' : 'no stage',
    node === null ? '' : printable(node.address),
    node === null ? '' : `${printable(node.chip)}, ${formatBytes(node.memoryBytes)}`,
  ]);
  return table([['node', 'state', 'address', 'machine'], ...cells]);
}

/** The findings alone; `espalier links` has the fixes. */
function links({ linkFindings }: ClusterStatus): string {
  const serious = (linkFindings ?? []).filter(({ severity }) => severity !== 'info');
  if (serious.length === 0) return '';
  const lines = serious.slice(0, FINDINGS_SHOWN).map(({ text }) => `! ${printable(text)}`);
  const more = serious.length > lines.length ? [`  and ${serious.length - lines.length} more`] : [];
  return ['Links (`espalier links` says what to do)', ...lines, ...more].join('\n');
}

function events(status: ClusterStatus): string {
  const newest = status.events.slice(-EVENTS_SHOWN);
  if (newest.length === 0) return '';
  const lines = newest.flatMap((event) => [
    `${formatClock(event.at)}  ${event.level.padEnd(5)}  ${printable(event.text)}`,
    ...(event.fix === null ? [] : [`                 → ${printable(event.fix)}`]),
  ]);
  return ['Last events', ...lines].join('\n');
}
