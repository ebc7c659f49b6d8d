// Macs for tests of links: their interfaces and Thunderbolt ports, everything else unknown.
import type { LinkNode } from '../../../controller/links/candidates.ts';
import { MachineFacts, type NetworkInterface, type ThunderboltPort } from '../../../protocol/facts.ts';
import type { ProbeFigures } from '../../../protocol/probe.ts';

/** Of a node that is never connected to. */
export const NO_KEY = '0'.repeat(64);

/** @param cidrs `192.168.1.4/24`, `fe80::1/64` */
export function nic(
  name: string,
  kind: NetworkInterface['kind'],
  cidrs: readonly string[],
  rest: Partial<NetworkInterface> = {},
): NetworkInterface {
  return {
    ...{ name, kind, portName: null, mtu: 1500, up: true, active: true, members: [], media: null },
    ...{ linkGbps: null, service: null },
    addresses: cidrs.map((cidr) => {
      const [address = '', prefix] = cidr.split('/');
      const family = address.includes(':') ? 'IPv6' : 'IPv4';
      const zone = address.startsWith('fe80:') ? name : null;
      return { family, address, prefixLength: Number(prefix), zone };
    }),
    ...rest,
  };
}

/** The same UUID for the same short name. */
export function uuid(short: number): string {
  return `00000000-0000-4000-8000-${String(short).padStart(12, '0')}`;
}

/** A port with a cable to the port of another Mac. */
export function port(
  own: number,
  peer: number | undefined,
  name: string,
  rest: Partial<ThunderboltPort> = {},
): ThunderboltPort {
  const far = { deviceName: 'Mac Studio', vendor: null, model: null, throughDock: null, offersRdma: null };
  return {
    ...{ receptacle: own % 10, portName: `Thunderbolt ${own % 10}`, interface: name },
    ...{ connected: peer !== undefined, linkGbps: peer === undefined ? null : 40, maxGbps: null },
    domainUuid: uuid(own),
    peers: peer === undefined ? [] : [{ domainUuid: uuid(peer), ...far }],
    ...rest,
  };
}

export function mac(
  name: string,
  interfaces: NetworkInterface[],
  thunderboltPorts: ThunderboltPort[] = [],
  host = '10.9.9.9',
): LinkNode {
  const machine = MachineFacts.parse({
    ...{ modelIdentifier: null, modelName: null, chip: null, memoryBytes: null, gpuMemoryLimit: null },
    ...{ coresPerformance: null, coresEfficiency: null, coresGpu: null },
    os: { name: 'macOS', version: '26.2', build: null },
    interfaces,
    thunderboltPorts,
    routes: [],
    rdma: { state: 'unavailable', devices: [] },
    ...{ power: null, thermal: null, notes: [] },
    load: {
      ...{ gpuUseShare: null, gpuMemoryBytes: null, memoryPressure: null, memoryFreeShare: null },
      ...{ memoryAvailableBytes: null, watts: null, traffic: [] },
    },
  });
  return { id: `id-${name}`, name, fingerprint: NO_KEY, host, machine };
}

/** What an agent might have measured. */
export function figures(gbps: number, rttUs: number, carriedBy: string | null = null): ProbeFigures {
  const trips = { count: 200, p50Us: rttUs, p99Us: 2 * rttUs };
  return {
    ...{ small: trips, hidden: trips, carriedBy },
    burst: { bytes: 1_000_000, elapsedUs: 8_000 / gbps, gbps },
  };
}
