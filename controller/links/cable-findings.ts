// Pure: findings about Thunderbolt cables and about addresses: a cable that carries nothing, one that is slower than its
// ports, and IPv4 link-local addresses that stand in each other's way.
import type { MachineFacts, ThunderboltPort } from '../../protocol/facts.ts';
import type { LinkFinding } from '../../protocol/links.ts';
import type { LinkNode } from './candidates.ts';
import type { LinkView } from './findings.ts';
import { isSettled, type PairState } from './pair-state.ts';

export function cableFindings({ nodes, pairs }: LinkView): LinkFinding[] {
  return [
    ...pairs.flatMap((pair) => cablesOf(pair).flatMap((cable) => aboutCable(pair, cable))),
    ...nodes.flatMap((node) => sharedLinkLocal(node, pairs)),
  ];
}

/** A Thunderbolt cable between the two nodes of a pair, as their ports tell it. */
interface Cable {
  a: ThunderboltPort;
  b: ThunderboltPort;
}

/** macOS prints 120 of a port that has 80 both ways, or 120 one way. */
const SYMMETRIC_GBPS = 80;

function cablesOf({ a, b, isSameMachine }: PairState): Cable[] {
  if (isSameMachine || !a.machine || !b.machine) return [];
  const theirs = b.machine.thunderboltPorts;
  return a.machine.thunderboltPorts.flatMap((port) => {
    const uuids = port.peers.map(({ domainUuid }) => domainUuid);
    const far = theirs.find(
      ({ domainUuid, peers }) =>
        (domainUuid !== null && uuids.includes(domainUuid)) ||
        peers.some((peer) => peer.domainUuid === port.domainUuid),
    );
    return far ? [{ a: port, b: far }] : [];
  });
}

function aboutCable(pair: PairState, cable: Cable): LinkFinding[] {
  const { a, b } = pair;
  const names = `${a.name} (${portOf(cable.a)}) and ${b.name} (${portOf(cable.b)})`;
  const id = `${a.id} ${b.id} ${cable.a.receptacle ?? '?'}`;
  const found: LinkFinding[] = [];
  const used = pair.paths.some(
    ({ from, to }) =>
      carriers(a.machine, cable.a).includes(from.interface) &&
      carriers(b.machine, cable.b).includes(to.interface),
  );
  if (isSettled(pair) && !used) {
    found.push({
      id: `cable-unused ${id}`,
      severity: 'warn',
      text: `the Thunderbolt cable between ${names} carries nothing: ${whyUnused(pair, cable)}`,
      fix: fixUnused(pair, cable),
    });
  }
  const trained = [cable.a.linkGbps, cable.b.linkGbps].filter((gbps) => gbps !== null);
  const speed = trained.length > 0 ? Math.min(...trained) : undefined;
  const capable = Math.min(bestPort(a.machine), bestPort(b.machine));
  if (speed !== undefined && speed < capable) {
    found.push({
      id: `cable-slow ${id}`,
      severity: 'warn',
      text: `the cable between ${names} runs at ${speed} Gb/s, and both Macs have ports for ${capable}`,
      fix:
        `Use a cable that is marked for ${capable} Gb/s (Thunderbolt ${capable > 40 ? 5 : 4}), at most 1 m if it is ` +
        'passive, plugged straight into both Macs and not into a hub or dock.',
    });
  }
  return found;
}

function portOf({ portName, receptacle }: ThunderboltPort): string {
  return portName ?? (receptacle === null ? 'a Thunderbolt port' : `Thunderbolt port ${receptacle}`);
}

/** What this machine's ports can do, by the best that any of them says; 0 when none does. */
function bestPort(machine: MachineFacts | null): number {
  const all = (machine?.thunderboltPorts ?? []).flatMap(({ linkGbps, maxGbps }) => [
    linkGbps ?? 0,
    maxGbps ?? 0,
  ]);
  return Math.min(SYMMETRIC_GBPS, Math.max(0, ...all));
}

/** The port's own interface, and a bridge that holds it. */
function carriers(machine: MachineFacts | null, { interface: own }: ThunderboltPort): string[] {
  if (own === null || !machine) return [];
  const bridges = machine.interfaces.filter(({ members }) => members.includes(own));
  return [own, ...bridges.map(({ name }) => name)];
}

function bare(pair: PairState, cable: Cable): LinkNode | undefined {
  const hasAddress = ({ machine }: LinkNode, port: ThunderboltPort) =>
    (machine?.interfaces ?? []).some(
      ({ name, up, addresses }) => up && addresses.length > 0 && carriers(machine, port).includes(name),
    );
  if (!hasAddress(pair.a, cable.a)) return pair.a;
  return hasAddress(pair.b, cable.b) ? undefined : pair.b;
}

function whyUnused(pair: PairState, cable: Cable): string {
  const node = bare(pair, cable);
  return node ? `${node.name} has no address on it` : 'its addresses do not reach one another';
}

function fixUnused(pair: PairState, cable: Cable): string {
  const node = bare(pair, cable);
  if (node) {
    const port = portOf(node === pair.a ? cable.a : cable.b);
    return (
      `On ${node.name}: System Settings → Network → … → Add Service → ${port}, Configure IPv6: Automatically. ` +
      'Espalier then uses its link-local address; nothing else needs to be set.'
    );
  }
  return (
    'Unplug the cable and plug it in again; if that does not help, allow incoming connections for node in ' +
    'System Settings → Network → Firewall on both Macs, then `espalier links --measure`.'
  );
}

/** IPv4 has one way to 169.254/16 only: with two such interfaces the second neighbour is not reached by it. */
function sharedLinkLocal(node: LinkNode, pairs: readonly PairState[]): LinkFinding[] {
  const names = (node.machine?.interfaces ?? [])
    .filter(
      ({ kind, up, active, addresses }) =>
        kind !== 'loopback' &&
        up &&
        active !== false &&
        addresses.some(({ address }) => address.startsWith('169.254.')),
    )
    .map(({ name }) => name);
  const mine = pairs.filter(({ a, b }) => a.id === node.id || b.id === node.id);
  if (names.length < 2 || mine.length === 0 || !mine.every(isSettled)) return [];
  const byZone = new Set(
    mine
      .flatMap(({ a, paths }) => paths.map(({ from, to }) => (a.id === node.id ? from : to)))
      .filter(({ address }) => address.includes('%'))
      .map(({ interface: name }) => name),
  );
  const isSolved = names.every((name) => byZone.has(name));
  return [
    {
      id: `shared-link-local ${node.id}`,
      severity: isSolved ? 'info' : 'warn',
      text:
        `${node.name} has IPv4 addresses in 169.254/16 on ${names.join(' and ')}: IPv4 reaches the neighbour behind ` +
        `one of them only${isSolved ? '; Espalier uses IPv6 link-local addresses there' : ''}`,
      fix: isSolved
        ? 'Nothing needs to be done for Espalier. For other programs, give each cable a subnet of its own.'
        : `On ${node.name}, set Configure IPv6 to Automatically or Link-Local Only for both (System Settings → Network → ` +
          'the service → Details → TCP/IP), or give each cable a subnet of its own.',
    },
  ];
}
