// Whether macOS lets this very process talk to the machines of its own networks, found out by trying: denial shows as
// EHOSTUNREACH, at once, for neighbours, while the way out of the network works. The verdict is pure.
import { connect, isIPv4 } from 'node:net';
import type { Finding } from '../../protocol/doctor.ts';
import { finding } from '../../protocol/doctor-findings.ts';
import type { MachineFacts } from '../../protocol/facts.ts';
import { isInterfaceName, lines } from '../facts/text.ts';
import type { NodeState } from './node-state.ts';

export type TryOutcome = 'connected' | 'refused' | 'unreachable' | 'silent' | 'other';

/** allowed: a neighbour answered · denied: macOS stands in the way · unknown: it cannot be told, and why */
export interface ReachVerdict {
  state: 'allowed' | 'denied' | 'unknown';
  seen: string;
}

/** The discard port: whoever answers there, answers by refusing. */
const PORT = 9;
const TIMEOUT_MS = 1_000;
const MAX_NEIGHBOURS = 4;

export interface Neighbour {
  address: string;
  interface: string;
}

/** `arp -an`: those whose hardware address is known, so that the network has heard of them. */
export function parseArp(text: string): Neighbour[] {
  return lines(text).flatMap((line): Neighbour[] => {
    const [, address = '', hardware = '', name] =
      /^\S{1,255} \(([\d.]{7,15})\) at (\S{1,17}) on (\S{1,32})/.exec(line.slice(0, 400)) ?? [];
    const isNobody = hardware === 'ff:ff:ff:ff:ff:ff' || /^(?:22[4-9]|23\d)\./.test(address);
    return isIPv4(address) && hardware.includes(':') && !isNobody && isInterfaceName(name)
      ? [{ address, interface: name }]
      : [];
  });
}

/** Whom to try: a few neighbours, one of each interface first, and the gateway. */
export function whomToTry(
  neighbours: readonly Neighbour[],
  machine: MachineFacts,
): { neighbours: string[]; gateway: string | null } {
  const route = machine.routes.find(
    ({ family, destination, isScoped }) => family === 'IPv4' && destination === 'default' && !isScoped,
  );
  const gateway = route?.gateway && isIPv4(route.gateway) ? route.gateway : null;
  const own = new Set(machine.interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address)));
  const others = neighbours.filter(({ address }) => address !== gateway && !own.has(address));
  const isFirst = (one: Neighbour) => others.find((other) => other.interface === one.interface) === one;
  const inOrder = [...others.filter(isFirst), ...others.filter((one) => !isFirst(one))];
  return { neighbours: inOrder.slice(0, MAX_NEIGHBOURS).map(({ address }) => address), gateway };
}

/** Pure: what the tries tell. */
export function reachVerdict(neighbours: readonly TryOutcome[], gateway: TryOutcome | null): ReachVerdict {
  const count = neighbours.length;
  const answered = neighbours.filter((outcome) => outcome === 'connected' || outcome === 'refused').length;
  if (answered > 0) return { state: 'allowed', seen: `${answered} of ${count} neighbours answered` };
  if (count === 0) return { state: 'unknown', seen: 'no neighbour is known to try' };
  if (neighbours.some((outcome) => outcome !== 'unreachable'))
    return { state: 'unknown', seen: `none of ${count} neighbours answered` };
  if (gateway === null || gateway === 'unreachable')
    return {
      state: 'unknown',
      seen: `neither ${count} neighbours nor the gateway can be reached: is there a network?`,
    };
  return {
    state: 'denied',
    seen: `each of ${count} neighbours is "unreachable" at once (EHOSTUNREACH), and the gateway is not`,
  };
}

/** Tries all at once; takes at most TIMEOUT_MS. */
export async function tryReach(neighbours: readonly string[], gateway: string | null): Promise<ReachVerdict> {
  const [way, ...others] = await Promise.all([
    gateway === null ? null : tryAddress(gateway),
    ...neighbours.map((address) => tryAddress(address)),
  ]);
  return reachVerdict(
    others.filter((outcome) => outcome !== null),
    way,
  );
}

/** What comes of a connection to the discard port of an address. */
export function tryAddress(host: string, port = PORT): Promise<TryOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (outcome: TryOutcome) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => end('silent'), TIMEOUT_MS);
    socket.once('connect', () => end('connected'));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED') end('refused');
      else end(code === 'EHOSTUNREACH' ? 'unreachable' : 'other');
    });
  });
}

export function localNetworkFindings({ name: node, localNetwork }: NodeState): Finding[] {
  if (localNetwork.state !== 'denied') return [];
  return [
    finding('local-network-denied', {
      node,
      seen: localNetwork.seen,
      remedy:
        'System Settings → Privacy & Security → Local Network, and switch on the program that runs the agent (a ' +
        'third-party terminal, or node in a LaunchAgent); or start the agent from Terminal, by ssh or as a daemon, ' +
        'which are exempt.',
    }),
  ];
}
