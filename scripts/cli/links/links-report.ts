// The links as text for people, pure: a table of the measured paths, and the findings with their fixes.
import { formatClock, formatPlural, printable, UNMEASURED } from '../../../dashboard/format.ts';
import type { LinkEnd, LinkFigures, LinkFinding, LinkPair, LinksReport } from '../../../protocol/links.ts';
import { table } from '../table.ts';

const HEADING = ['from', 'to', 'by', 'Gb/s there', 'back', 'round trip', 'p99', 'measured'];

/** Several lines without a last line break. */
export function linksReport(report: LinksReport): string {
  const { pairs, findings } = report;
  if (pairs.length === 0) return 'No two nodes are connected, so there are no links.';
  const rows = pairs.toSorted((x, y) => compare(x.a.name, y.a.name) || compare(x.b.name, y.b.name));
  const sections = [
    table([HEADING, ...rows.flatMap(pairRows)], { right: [3, 4, 5, 6] }),
    'The round trip is that of 14 KiB, the hidden state of one token of R1, there and back; the median and the 99th percentile.',
    progress(report),
    findings.length > 0 ? findings.map(findingLines).join('\n') : 'Nothing to mend was found.',
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

/** One finding on two lines. */
export function findingLines({ severity, text, fix }: LinkFinding): string {
  const mark = severity === 'info' ? 'i' : '!';
  return `${mark} ${printable(text)}\n  → ${printable(fix)}`;
}

function pairRows({ a, b, paths, failure, measuredAt }: LinkPair): string[][] {
  const names = [printable(a.name), printable(b.name)];
  if (paths.length === 0) {
    const notYet = measuredAt === null ? 'not measured yet' : 'no path';
    return [[...names, failure === null ? notYet : printable(failure)]];
  }
  return paths.map(({ from, to, there, back, measuredAt: at }, i) => {
    const { rttP50Us, rttP99Us } = there ?? (back as LinkFigures);
    return [
      ...(i === 0 ? names : ['', '']),
      way(from, to, there ?? back),
      gbps(there),
      gbps(back),
      milliseconds(rttP50Us),
      milliseconds(rttP99Us),
      formatClock(at),
    ];
  });
}

function way(from: LinkEnd, to: LinkEnd, figures: LinkFigures | null): string {
  const kind = figures?.kind ?? from.kind;
  if (kind === 'loopback') return 'loopback';
  // the zone is the interface's name, which is there already
  const show = (end: LinkEnd) => `${end.interface} ${end.address.split('%')[0]}`;
  return printable(`${kind} ${show(from)} – ${show(to)}`);
}

function gbps(figures: LinkFigures | null): string {
  return figures ? figures.gbps.toFixed(figures.gbps < 10 ? 2 : 1) : UNMEASURED;
}

function milliseconds(us: number): string {
  return `${(us / 1000).toFixed(2)} ms`;
}

function progress({ waiting, blocked, measuring }: LinksReport): string {
  if (waiting === 0) return '';
  const now = measuring ? `; ${printable(measuring.join(' and '))} now` : '';
  const why = blocked === null ? now : `, when nothing is in the way: ${printable(blocked)}`;
  return `${formatPlural(waiting, 'pair')} to be measured${why}.`;
}

function compare(x: string, y: string): number {
  return x.localeCompare(y, 'en', { numeric: true });
}
