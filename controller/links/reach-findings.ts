// Pure: findings about what could not be reached: no path at all, one direction only, macOS's Local Network privacy, an
// agent that may listen on one address alone.
import type { LinkFinding, LinkMiss } from '../../protocol/links.ts';
import type { LinkNode } from './candidates.ts';
import type { LinkView } from './findings.ts';
import { isSettled, type PairState } from './pair-state.ts';

export function reachFindings({ nodes, pairs }: LinkView): LinkFinding[] {
  const apart = pairs.filter((pair) => !pair.isSameMachine && isSettled(pair));
  const denied = nodes.filter((node) => isDenied(node, apart));
  return [
    ...denied.map(localNetwork),
    ...apart.flatMap((pair) => (pair.paths.length === 0 ? noPath(pair, denied) : oneWay(pair, denied))),
    ...nodes.flatMap((node) => listensOnOne(node, apart)),
  ];
}

/**
 * macOS denies a program the local network by EHOSTUNREACH, at once and for every address of its own subnets, while others
 * reach the machine and the controller is connected.
 */
function isDenied(node: LinkNode, pairs: readonly PairState[]): boolean {
  const mine = pairs.filter(({ a, b }) => a.id === node.id || b.id === node.id);
  const misses = mine.flatMap((pair) => pair.misses.filter(({ by }) => by === node.id));
  const reaches = mine.some((pair) =>
    pair.paths.some((path) => (pair.a.id === node.id ? path.there : path.back)),
  );
  return !reaches && misses.length > 0 && misses.every(({ code }) => code === 'EHOSTUNREACH');
}

function localNetwork(node: LinkNode): LinkFinding {
  return {
    id: `local-network ${node.id}`,
    severity: 'error',
    text: `${node.name} may not reach any address of its own networks (EHOSTUNREACH for each): it looks like macOS's Local Network privacy`,
    fix:
      `On ${node.name}: System Settings → Privacy & Security → Local Network, and switch on the program that runs the ` +
      'agent (a third-party terminal, or node in a LaunchAgent); or start it from Terminal, by ssh or as a daemon, ' +
      'which are exempt.',
  };
}

function noPath(pair: PairState, denied: readonly LinkNode[]): LinkFinding[] {
  const { a, b, misses } = pair;
  if (denied.some(({ id }) => id === a.id || id === b.id)) return [];
  const tried = misses.length === 0 ? 'they have no addresses of one network' : `${summary(misses)}`;
  return [
    {
      id: `no-path ${pair.key}`,
      severity: 'warn',
      text: `${a.name} and ${b.name} do not reach one another: ${tried}`,
      fix:
        'Connect both to one switch or Wi-Fi network, or join them with a Thunderbolt cable; where they are, allow ' +
        'incoming connections for node in the firewall of both.',
    },
  ];
}

/** The outcomes of tries, the frequent ones first: `8 tries timed out, 2 refused`. */
function summary(misses: readonly LinkMiss[]): string {
  const counts = new Map<string, number>();
  for (const { outcome } of misses) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const parts = [...counts].sort((x, y) => y[1] - x[1]).map(([outcome, count]) => `${count} ${outcome}`);
  return `of ${misses.length} tries ${parts.join(', ')}`;
}

function oneWay(pair: PairState, denied: readonly LinkNode[]): LinkFinding[] {
  const worksThere = pair.paths.some(({ there }) => there !== null);
  const worksBack = pair.paths.some(({ back }) => back !== null);
  if (worksThere && worksBack) return [];
  const [from, to] = worksThere ? [pair.a, pair.b] : [pair.b, pair.a];
  if (denied.includes(to)) return [];
  const outcomes = summary(pair.misses.filter(({ by }) => by === to.id));
  return [
    {
      id: `one-way ${pair.key}`,
      severity: 'warn',
      text: `${from.name} reaches ${to.name}, but ${to.name} does not reach ${from.name}: ${outcomes}`,
      fix: `On ${from.name}, allow incoming connections for node (System Settings → Network → Firewall → Options).`,
    },
  ];
}

function listensOnOne(node: LinkNode, pairs: readonly PairState[]): LinkFinding[] {
  const closed = pairs.flatMap(({ a, b, notOffered }) => {
    if (a.id === node.id) return notOffered.a;
    return b.id === node.id ? notOffered.b : [];
  });
  if (closed.length === 0) return [];
  return [
    {
      id: `listens-on-one ${node.id}`,
      severity: 'info',
      text: `the agent on ${node.name} listens on ${node.host} only: hops cannot use ${[...new Set(closed)].slice(0, 4).join(', ')}`,
      fix: `Start it with --host 0.0.0.0, so that the fastest link is taken.`,
    },
  ];
}
