// Pure: findings about paths that work, and about ones that did: Wi-Fi where there is a wire, a wire that is slower than it
// should be, an interface that carries what another should, a hop that does not take the best way, a path that went away.
import type { InterfaceKind } from '../../protocol/facts.ts';
import type { LinkEnd, LinkFigures, LinkFinding, LinkPath } from '../../protocol/links.ts';
import type { LinkNode } from './candidates.ts';
import type { LinkView } from './findings.ts';
import { fasterHop, type HopPath } from './hop-path.ts';
import { hopPathsOf, type PairState } from './pair-state.ts';

/** TCP through Thunderbolt's IP carries about 40 % of the cable's speed (16.4 of 40 Gb/s), Ethernet's 94 %. */
const LEAST_SHARE: Partial<Record<InterfaceKind, number>> = { thunderbolt: 0.2, ethernet: 0.6 };
const SLOW_WIRES_SHOWN = 3;

export function pathFindings({ nodes, pairs, hops }: LinkView): LinkFinding[] {
  const apart = pairs.filter(({ isSameMachine }) => !isSameMachine);
  const nameOf = (id: string) => nodes.find((node) => node.id === id)?.name ?? id;
  return [
    ...apart.flatMap(aboutPair),
    ...slowWires(apart),
    ...hops.flatMap((hop) => slowHop(hop, pairs, nameOf)),
  ];
}

function aboutPair(pair: PairState): LinkFinding[] {
  return [
    ...pair.gone.map(({ path, group, why }): LinkFinding => {
      return {
        id: `path-gone ${pair.key} ${group}`,
        severity: 'warn',
        text: `the ${path.from.kind} path ${between(pair, path)} went away: ${why}`,
        fix: `Look at the cable and at the interfaces: ${path.from.interface} on ${pair.a.name}, ${path.to.interface} on ${pair.b.name}.`,
      };
    }),
    ...onlyWifi(pair),
    ...pair.paths.flatMap((path) => [
      ...strayed(pair, pair.a, path.from, path.there),
      ...strayed(pair, pair.b, path.to, path.back),
    ]),
  ];
}

function onlyWifi(pair: PairState): LinkFinding[] {
  const [best] = pair.paths;
  if (!best || !isWifi(best)) return [];
  const wired = [pair.a, pair.b].map((node) => wireOf(node));
  const hasWires = wired.every((name) => name !== undefined);
  return [
    {
      id: `wifi ${pair.key}`,
      severity: 'warn',
      text:
        `${pair.a.name} and ${pair.b.name} reach one another best over Wi-Fi ` +
        `(${gbps(best.there ?? best.back)} Gb/s)${hasWires ? `, though both have a wire (${wired.join(', ')})` : ''}`,
      fix: hasWires
        ? `Give ${wired[0]} of ${pair.a.name} and ${wired[1]} of ${pair.b.name} addresses of one network, ` +
          'or join the two Macs with a Thunderbolt cable.'
        : 'Join the two Macs with a Thunderbolt cable, or connect both to one switch.',
    },
  ];
}

function isWifi({ from, to, there, back }: LinkPath): boolean {
  return [from.kind, to.kind, there?.kind, back?.kind].includes('wifi');
}

function wireOf({ machine }: LinkNode): string | undefined {
  const wires = (machine?.interfaces ?? []).filter(
    ({ kind, up, active }) =>
      up && active === true && ['ethernet', 'thunderbolt', 'thunderbolt-bridge'].includes(kind),
  );
  return wires[0]?.name;
}

/** The system sent over another interface than the one whose address was used. */
function strayed(
  pair: PairState,
  sender: LinkNode,
  end: LinkEnd,
  figures: LinkFigures | null,
): LinkFinding[] {
  const { carriedBy } = figures ?? {};
  if (!figures || !carriedBy || carriedBy === end.interface || end.kind === 'loopback') return [];
  const bridge = sender.machine?.interfaces.find(({ name }) => name === end.interface);
  if (bridge?.members.includes(carriedBy)) return [];
  return [
    {
      id: `strayed ${pair.key} ${sender.id} ${end.interface} ${carriedBy}`,
      severity: figures.kind === 'wifi' || figures.kind === 'vpn' ? 'warn' : 'info',
      text:
        `what ${sender.name} sends from its address ${end.address} (${end.interface}, ${end.kind}) to ` +
        `${sender === pair.a ? pair.b.name : pair.a.name} leaves by ${carriedBy} (${figures.kind})`,
      fix:
        `On ${sender.name}: System Settings → Network → … → Set Service Order, and put ${end.interface} above ` +
        `${carriedBy}; or give the two interfaces different subnets.`,
    },
  ];
}

/** One finding for each kind: a slow switch shows between all of its neighbours. */
function slowWires(pairs: readonly PairState[]): LinkFinding[] {
  const found = pairs.flatMap((pair) =>
    pair.paths.flatMap((path) => {
      const { kind } = path.from;
      const nominal = nominalGbps(pair, path);
      const all = [path.there?.gbps, path.back?.gbps].filter((value) => value !== undefined);
      const share = Math.min(...all) / (nominal ?? 0);
      return share < (LEAST_SHARE[kind] ?? 0)
        ? [{ pair, path, kind, nominal, slowest: Math.min(...all), share }]
        : [];
    }),
  );
  const kinds = [...new Set(found.map(({ kind }) => kind))];
  return kinds.map((kind): LinkFinding => {
    const slow = found.filter((one) => one.kind === kind).sort((x, y) => x.share - y.share);
    const shown = slow
      .slice(0, SLOW_WIRES_SHOWN)
      .map(
        ({ pair, path, slowest, nominal }) =>
          `${between(pair, path)} ${slowest.toFixed(1)} of ${nominal} Gb/s`,
      );
    const more = slow.length > shown.length ? `, and ${slow.length - shown.length} more` : '';
    return {
      id: `wire-slow ${kind}`,
      severity: 'warn',
      text: `the link carried far less than it was set to (${kind}): ${shown.join('; ')}${more}`,
      fix:
        'End what else uses the network or the processors, then `espalier links --measure`; if it stays, try another ' +
        'cable, or look at the slowest port of the switch between them.',
    };
  });
}

/** What both ends say the link was set to; undefined when one does not say. */
function nominalGbps({ a, b }: PairState, { from, to }: LinkPath): number | undefined {
  const speedOf = ({ machine }: LinkNode, name: string) =>
    machine?.thunderboltPorts.find((port) => port.interface === name)?.linkGbps ??
    machine?.interfaces.find((entry) => entry.name === name)?.linkGbps ??
    undefined;
  const [here, there] = [speedOf(a, from.interface), speedOf(b, to.interface)];
  return here === undefined || there === undefined ? undefined : Math.min(here, there);
}

/** The present deployment takes a way that is much slower than another that was measured. */
function slowHop(hop: HopPath, pairs: readonly PairState[], nameOf: (id: string) => string): LinkFinding[] {
  const found = fasterHop(pairs.flatMap(hopPathsOf), hop);
  if (!found) return [];
  const { now, better } = found;
  return [
    {
      id: `hop-slow ${hop.from} ${hop.to}`,
      severity: 'info',
      text:
        `the hop from ${nameOf(hop.from)} to ${nameOf(hop.to)} takes ${hop.fromInterface} (${gbps(now.figures)} Gb/s); ` +
        `${better.fromInterface} is faster now (${gbps(better.figures)} Gb/s)`,
      fix: 'It is taken as soon as no request has run for two seconds.',
    },
  ];
}

function between({ a, b }: PairState, { from, to }: LinkPath): string {
  return `between ${a.name} (${from.interface}) and ${b.name} (${to.interface})`;
}

function gbps(figures: LinkFigures | null): string {
  return figures ? figures.gbps.toFixed(1) : '–';
}
