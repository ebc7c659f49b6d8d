// What doctor found as text for people, pure: each node with its findings and its way to RDMA, then what is about several.
import { formatPlural, printable } from '../../../dashboard/format.ts';
import type { Finding, Fix, NodeCheck, Rung, Severity } from '../../../protocol/doctor.ts';
import { formatArgv } from '../../../protocol/system-change.ts';
import type { Examined } from './examine.ts';

const MARKS: Record<Severity, string> = { error: '✗', warn: '!', info: 'i' };
const RUNG_MARKS: Record<Rung['state'], string> = { yes: '✓', no: '✗', unknown: '·' };

const RUNG_NAMES: Record<Rung['id'], string> = {
  hardware: 'Thunderbolt 5',
  system: 'macOS',
  enabled: 'enabled',
  device: 'devices',
  cable: 'cable',
  peer: 'other end',
  active: 'port active',
  addressed: 'IPv4 address',
};

/** Several lines without a last line break. */
export function doctorReport({ local, isLocalInCluster, cluster, trouble, findings }: Examined): string {
  const nodes = cluster?.nodes ?? [];
  const sections = [
    ...(isLocalInCluster ? [] : [nodeSection(local, 'this machine')]),
    ...nodes.map((node) => nodeSection(node, node.id === local.id ? 'this machine' : undefined)),
    cluster && cluster.findings.length > 0
      ? ['Between the nodes', ...cluster.findings.map(findingLines)].join('\n')
      : '',
    trouble === null ? '' : `The other nodes were not checked: ${printableLines(trouble)}`,
    summary(findings),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

function nodeSection(
  { name, os, espalierVersion, nodeVersion, findings, rdma }: NodeCheck,
  role?: string,
): string {
  const heading = `${printable(name)}${role === undefined ? '' : ` (${role})`}  ${printable(os ?? '')}, Espalier ${printable(espalierVersion)}, Node.js ${printable(nodeVersion)}`;
  const shown = findings.length > 0 ? findings.map(findingLines) : ['  ✓ nothing to mend'];
  return [heading, ...shown, ...ladderLines(rdma)].join('\n');
}

function findingLines({ id, severity, node, seen, why, remedy, fixes }: Finding): string {
  const about = node === null ? '' : ` (${printable(node)})`;
  const lines = [
    `  ${MARKS[severity]} ${id}${about}: ${printable(seen)}`,
    `    ${printable(why)}`,
    `    → ${printable(remedy)}`,
    ...fixLines(fixes).map((line) => `      ${line}`),
  ];
  if (fixes.some(({ safe }) => safe))
    lines.push('      (`espalier doctor --local --fix` there does it, and it can be undone)');
  return lines.join('\n');
}

/** Commands that read a file of that node's home are for `--fix` and the wizard there: nobody can type them before. */
function fixLines(fixes: readonly Fix[]): string[] {
  if (fixes.some(({ files }) => files.length > 0))
    return fixes.map(({ description }) => `· ${printable(description)}`);
  return fixes.flatMap((fix) => fix.apply.map((argv) => commandLine(argv, fix)));
}

/** A command as one would type it. */
export function commandLine(argv: readonly string[], { needsRoot }: Pick<Fix, 'needsRoot'>): string {
  return printable(`${needsRoot ? 'sudo ' : ''}${formatArgv(argv)}`);
}

function ladderLines(rungs: readonly Rung[]): string[] {
  if (rungs.length === 0) return [];
  const reached = rungs.filter(({ state }) => state === 'yes').length;
  return [
    `  RDMA: ${reached} of ${rungs.length} rungs`,
    ...rungs.map(({ id, state, seen, remedy }) => {
      const line = `    ${RUNG_MARKS[state]} ${RUNG_NAMES[id].padEnd(13)} ${printable(seen)}`;
      return state === 'no' && remedy !== null ? `${line}\n      → ${printable(remedy)}` : line;
    }),
  ];
}

function summary(findings: readonly Finding[]): string {
  const count = (wanted: Severity) => findings.filter(({ severity }) => severity === wanted).length;
  if (count('error') + count('warn') === 0) {
    const notes = count('info');
    return `Nothing to mend was found${notes > 0 ? `; ${formatPlural(notes, 'hint')}` : ''}.`;
  }
  return `${formatPlural(count('error'), 'error')}, ${formatPlural(count('warn'), 'warning')}, ${formatPlural(count('info'), 'hint')}. docs/doctor.md explains each.`;
}

/** The words of an error have their own line breaks. */
function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
