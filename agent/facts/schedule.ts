// When which facts are asked for again. Pure: a time and what Node sees of the network in, a depth out.
import type { NetworkInterfaceInfo } from 'node:os';
import { LOAD_INTERVAL_MS } from '../../protocol/limits.ts';

/** load: what changes all the time · links: what cables, networks and people change · all: what hardly ever changes */
export type Depth = 'load' | 'links' | 'all';

export const LINKS_INTERVAL_MS = 30_000;
export const ALL_INTERVAL_MS = 600_000;

export interface Asked {
  /** when facts of this depth were last asked for; -Infinity never */
  allAt: number;
  linksAt: number;
  loadAt: number;
  /** the interfaces' names then, and their names with addresses */
  names: string;
  addresses: string;
}

export const NOTHING_ASKED: Asked = {
  allAt: Number.NEGATIVE_INFINITY,
  linksAt: Number.NEGATIVE_INFINITY,
  loadAt: Number.NEGATIVE_INFINITY,
  names: '',
  addresses: '',
};

export interface Moment {
  /** milliseconds on a clock that never jumps */
  now: number;
  names: string;
  addresses: string;
  /** whether a controller is there to be told of the load */
  isHeard: boolean;
}

/** What to ask for now; undefined: nothing. */
export function dueDepth(asked: Asked, { now, names, addresses, isHeard }: Moment): Depth | undefined {
  if (names !== asked.names || now - asked.allAt >= ALL_INTERVAL_MS) return 'all';
  if (addresses !== asked.addresses || now - asked.linksAt >= LINKS_INTERVAL_MS) return 'links';
  return isHeard && now - asked.loadAt >= LOAD_INTERVAL_MS ? 'load' : undefined;
}

/** What holds once `depth` has been asked for at this moment. */
export function askedNow(asked: Asked, depth: Depth, { now, names, addresses }: Moment): Asked {
  return {
    allAt: depth === 'all' ? now : asked.allAt,
    linksAt: depth === 'load' ? asked.linksAt : now,
    loadAt: now,
    names: depth === 'all' ? names : asked.names,
    addresses: depth === 'load' ? asked.addresses : addresses,
  };
}

/** @param told what os.networkInterfaces() returns */
export function networkSigns(told: NodeJS.Dict<NetworkInterfaceInfo[]>): {
  names: string;
  addresses: string;
} {
  const names = Object.keys(told).sort();
  const addresses = names.map((name) => `${name}=${told[name]?.map(({ cidr }) => cidr).sort()}`);
  return { names: names.join(' '), addresses: addresses.join(' ') };
}
