// Pure: findings that only who knows all nodes can tell: versions and clocks that differ, a node that does not answer, one that
// waits to be let in, and what the measured links tell.
import { bySeverity, type Finding } from '../../protocol/doctor.ts';
import { finding, isFindingId } from '../../protocol/doctor-findings.ts';
import type { LinkFinding } from '../../protocol/links.ts';
import type { ReceivedCheck } from './collector.ts';

export interface ClusterView {
  /** all nodes that the controller knows, by id */
  nodes: readonly { id: string; name: string; isConnected: boolean }[];
  checks: ReadonlyMap<string, ReceivedCheck>;
  /** the controller's own */
  own: { espalierVersion: string; nodeVersion: string };
  /** the names of nodes that wait to be paired */
  waiting: readonly string[];
  linkFindings: readonly LinkFinding[];
}

/** Answers come late on a busy network, by milliseconds; people notice two seconds in a log. */
const MAX_CLOCK_ERROR_MS = 2_000;

export function clusterFindings(view: ClusterView): Finding[] {
  const { own } = view;
  const all = [...view.checks.values()].map(({ check }) => check);
  return bySeverity([
    ...view.nodes.flatMap((node) => silent(node, view.checks)),
    ...differing('versions-differ', 'Espalier', {
      values: all.map(({ name, espalierVersion }) => [name, espalierVersion]),
      own: own.espalierVersion,
      remedy: 'Bring all Macs to the same version of Espalier, and start their agents again.',
    }),
    ...differing('node-versions-differ', 'Node.js', {
      values: all.map(({ name, nodeVersion }) => [name, nodeVersion]),
      own: own.nodeVersion,
      remedy: 'Install the same Node.js on all of them, when there is a quiet hour.',
    }),
    ...macosDiffers(view),
    ...[...view.checks.values()].flatMap(clockOff),
    ...view.waiting.map((name) =>
      finding('not-paired', {
        node: name,
        seen: `${name} waits to be paired`,
        remedy: `\`espalier pair ${name}\`, with the code that it shows.`,
      }),
    ),
    ...view.linkFindings.flatMap(fromLinks),
  ]);
}

function silent(
  { id, name, isConnected }: ClusterView['nodes'][number],
  checks: ClusterView['checks'],
): Finding[] {
  if (checks.has(id)) return [];
  const seen = isConnected
    ? `${name} did not answer in time, or not in words that are known here`
    : `${name} is lost`;
  const remedy = isConnected
    ? 'Look at the log of the agent there, and whether both sides have the same version of Espalier.'
    : 'Look whether it is on, and whether its agent runs: `espalier incidents` tells what was seen of it.';
  return [finding('not-answering', { node: name, seen, remedy })];
}

function differing(
  id: 'versions-differ' | 'node-versions-differ',
  what: string,
  { values, own, remedy }: { values: readonly (readonly [string, string])[]; own: string; remedy: string },
): Finding[] {
  const other = values.filter(([, version]) => version !== own);
  if (other.length === 0) return [];
  const list = other.map(([name, version]) => `${name} ${version}`).join(', ');
  return [
    finding(id, { node: null, seen: `${what} is ${own} at the controller; ${list}`.slice(0, 900), remedy }),
  ];
}

/** It matters to RDMA alone, so only Macs that have it enabled count. */
function macosDiffers({ checks }: ClusterView): Finding[] {
  const ready = [...checks.values()]
    .map(({ check }) => check)
    .filter(({ rdma }) => rdma.some(({ id, state }) => id === 'enabled' && state === 'yes'));
  const systems = new Set(ready.map(({ os }) => os));
  if (systems.size < 2) return [];
  const list = ready.map(({ name, os }) => `${name} ${os ?? 'unknown'}`).join(', ');
  return [
    finding('macos-differs', {
      node: null,
      seen: `of the Macs with RDMA enabled: ${list}`.slice(0, 900),
      remedy: 'Update all of them to the same macOS, betas included: even the builds must be equal.',
    }),
  ];
}

function clockOff({ check, clockAheadMs }: ReceivedCheck): Finding[] {
  if (Math.abs(clockAheadMs) <= MAX_CLOCK_ERROR_MS) return [];
  const seconds = Math.abs(clockAheadMs / 1000).toFixed(1);
  const way = clockAheadMs > 0 ? 'ahead of' : 'behind';
  return [
    finding('clock-off', {
      node: check.name,
      seen: `its clock is ${seconds} s ${way} the controller's`,
      remedy:
        'On both: System Settings → General → Date & Time → Set time and date automatically (on Linux `timedatectl set-ntp true`).',
    }),
  ];
}

/** The id of a link's finding begins with its kind. */
function fromLinks({ id, severity, text, fix }: LinkFinding): Finding[] {
  const [kind = ''] = id.split(' ');
  return isFindingId(kind)
    ? [finding(kind, { node: null, severity, seen: text.slice(0, 1_000), remedy: fix.slice(0, 1_000) })]
    : [];
}
