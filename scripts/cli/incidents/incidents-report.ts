// Incidents as text for people, pure: a paragraph each, the newest last.
import { formatClock, formatDuration, formatPlural, printable } from '../../../dashboard/format.ts';
import type { Incident, IncidentsReport } from '../../../protocol/incidents.ts';

/** Several lines without a last line break. */
export function incidentsReport({ incidents }: IncidentsReport): string {
  if (incidents.length === 0) return 'Nothing went wrong so far.';
  return incidents.map(paragraph).join('\n\n');
}

function paragraph(incident: Incident): string {
  const { number, at, seen, fix, requests, outcome, done } = incident;
  const mark = { open: '…', serving: '✓', impossible: '✗' }[outcome];
  const lines = [`${mark} #${number}  ${formatDate(at)}  ${printable(seen)}`];
  const waited = requests > 0 ? `, ${formatPlural(requests, 'request')} waited` : '';
  if (outcome === 'open') lines.push(`  not over yet${waited}`);
  else lines.push(`  ${printable(done ?? outcome)}${waited}`);
  const pause = pauseText(incident);
  if (pause) lines.push(`  ${pause}`);
  if (fix !== null) lines.push(`  → ${printable(fix)}`);
  return lines.join('\n');
}

/** `pause 1.2 s: plan 150 ms, load 900 ms, link 40 ms, replay 110 ms`; empty where nothing was measured */
function pauseText({ pause }: Incident): string {
  const { planMs, loadMs, linkMs, replayMs } = pause;
  const named = { plan: planMs, load: loadMs, link: linkMs, replay: replayMs };
  const parts = Object.entries(named).flatMap(([name, ms]) => (ms === null ? [] : [{ name, ms }]));
  if (parts.length === 0) return '';
  const sum = parts.reduce((total, { ms }) => total + ms, 0);
  return `pause ${formatDuration(sum)}: ${parts.map(({ name, ms }) => `${name} ${formatDuration(ms)}`).join(', ')}`;
}

/** `2026-11-22 14:03:22`, local time. */
function formatDate(at: number): string {
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${[date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')} ${formatClock(at)}`;
}
