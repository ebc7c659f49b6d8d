// Pure: which address of one node may reach which of another. Addresses of one subnet, or both link-local; loopback only
// within one machine. Whether they do, a measurement says.

import { BlockList, isIPv4 } from 'node:net';
import type { InterfaceAddress, MachineFacts, NetworkInterface } from '../../protocol/facts.ts';
import type { Fingerprint } from '../../protocol/identity.ts';
import { MAX_PROBE_ADDRESSES, MAX_PROBE_TARGETS } from '../../protocol/limits.ts';
import type { LinkEnd } from '../../protocol/links.ts';

/** A node as far as its links go. */
export interface LinkNode {
  id: string;
  name: string;
  /** of its key: who measures with it talks to nobody else */
  fingerprint: Fingerprint;
  /** the address by which the controller reaches it */
  host: string;
  /** null until it has told */
  machine: MachineFacts | null;
}

/** An address pair worth a try. */
export interface Candidate {
  a: LinkEnd;
  b: LinkEnd;
  /** the same for all address pairs of the same two interfaces: one of them is measured */
  group: string;
}

/** The pairs of addresses, the most trustworthy ones of each two interfaces first; at most MAX_PROBE_TARGETS. */
export function candidates(a: LinkNode, b: LinkNode): Candidate[] {
  if (isSameMachine(a, b)) return [loopback()];
  const found: (Candidate & { rank: number })[] = [];
  for (const x of endsOf(a)) {
    for (const y of endsOf(b)) {
      const rank = rankOf(x, y);
      if (rank === undefined || !mayBeJoined(a, x, b, y)) continue;
      found.push({ a: endOf(x), b: endOf(y), group: `${x.owner.name}>${y.owner.name}`, rank });
    }
  }
  const chosen = found.sort((one, other) => one.rank - other.rank).slice(0, MAX_PROBE_TARGETS);
  return chosen.map(({ rank: _, ...candidate }) => candidate);
}

/** Both on the controller's own machine, or with the same addresses: network and loopback are shared. */
export function isSameMachine(a: LinkNode, b: LinkNode): boolean {
  if (isLoopback(a.host) && isLoopback(b.host)) return true;
  const addresses = (node: LinkNode) =>
    endsOf(node)
      .map(({ owner, own }) => `${owner.name} ${own}`)
      .sort()
      .join();
  return addresses(a) !== '' && addresses(a) === addresses(b);
}

/** Whether two records say the same of what links depend on. */
export function sameNetwork(a: MachineFacts, b: MachineFacts): boolean {
  const network = ({ interfaces, thunderboltPorts }: MachineFacts) =>
    JSON.stringify([
      // what Wi-Fi is set to changes by the minute
      interfaces.map((entry) => (entry.kind === 'wifi' ? { ...entry, linkGbps: null, media: null } : entry)),
      thunderboltPorts,
    ]);
  return network(a) === network(b);
}

/** What `from` dials to reach `to`: a link-local IPv6 address with the zone of the one that dials. */
export function dialled(from: LinkEnd, to: LinkEnd): string {
  const [plain = to.address, zone] = to.address.split('%');
  return zone === undefined ? to.address : `${plain}%${from.interface}`;
}

/** The addresses of one side, each once. */
export function addressesOf(pairs: readonly Candidate[], side: 'a' | 'b'): string[] {
  return [...new Set(pairs.map((pair) => pair[side].address))].slice(0, MAX_PROBE_ADDRESSES);
}

interface OwnAddress {
  owner: NetworkInterface;
  entry: InterfaceAddress;
  own: string;
}

function endsOf({ machine }: LinkNode): OwnAddress[] {
  return (machine?.interfaces ?? [])
    .filter(({ kind, up, active }) => kind !== 'loopback' && up && active !== false)
    .flatMap((owner) =>
      owner.addresses.map((entry) => ({
        owner,
        entry,
        own: entry.zone === null ? entry.address : `${entry.address}%${owner.name}`,
      })),
    );
}

function endOf({ owner, own }: OwnAddress): LinkEnd {
  return { address: own, interface: owner.name, kind: owner.kind };
}

function loopback(): Candidate {
  const end: LinkEnd = { address: '127.0.0.1', interface: 'loopback', kind: 'loopback' };
  return { a: end, b: end, group: 'loopback' };
}

/**
 * How well two addresses fit, less is better; undefined when they cannot reach one another without a router.
 * Link-local IPv6 names its interface; link-local IPv4 does not, and fails where two interfaces have it.
 */
function rankOf(x: OwnAddress, y: OwnAddress): number | undefined {
  if (x.entry.family !== y.entry.family) return undefined;
  const zones = [x.entry.zone, y.entry.zone].filter((zone) => zone !== null).length;
  if (zones === 2) return 1;
  if (zones === 1 || x.entry.address === y.entry.address || !shareSubnet(x.entry, y.entry)) return undefined;
  if (x.entry.family === 'IPv6') return 2;
  return x.entry.address.startsWith('169.254.') ? 3 : 0;
}

function shareSubnet(x: InterfaceAddress, y: InterfaceAddress): boolean {
  const family = x.family === 'IPv4' ? 'ipv4' : 'ipv6';
  const prefixLength = Math.max(x.prefixLength, y.prefixLength);
  const full = x.family === 'IPv4' ? 32 : 128;
  // an address that stands alone, as VPNs give it, has no neighbours
  if (prefixLength === 0 || prefixLength === full) return false;
  const subnet = new BlockList();
  subnet.addSubnet(x.address, prefixLength, family);
  return subnet.check(y.address, family);
}

/** Leaves out what is known not to be joined: each try costs a deadline. */
function mayBeJoined(a: LinkNode, x: OwnAddress, b: LinkNode, y: OwnAddress): boolean {
  const isCable = (kind: string) => kind === 'thunderbolt' || kind === 'thunderbolt-bridge';
  const isNetwork = (kind: string) => kind === 'ethernet' || kind === 'wifi' || kind === 'vpn';
  if (isCable(x.owner.kind) && isNetwork(y.owner.kind)) return false;
  if (isNetwork(x.owner.kind) && isCable(y.owner.kind)) return false;
  if (x.owner.kind !== 'thunderbolt' || y.owner.kind !== 'thunderbolt') return true;
  const here = a.machine?.thunderboltPorts.find((port) => port.interface === x.owner.name);
  const there = b.machine?.thunderboltPorts.find((port) => port.interface === y.owner.name);
  if (!here || !there || here.domainUuid === null || there.domainUuid === null) return true;
  const sees = (peers: typeof here.peers, uuid: string) => peers.some((peer) => peer.domainUuid === uuid);
  return sees(here.peers, there.domainUuid) || sees(there.peers, here.domainUuid);
}

/** Whether a host is this machine itself. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
