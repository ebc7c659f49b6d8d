// The Thunderbolt cables between the nodes, as their ports tell of one another. Pure.
import type { NodeStatus } from '../../../protocol/status.ts';

export interface PortView {
  /** the number that macOS gives the socket: `Thunderbolt 2` */
  number: number;
  /** something is plugged in, a Mac or not */
  isUsed: boolean;
  gbps: number | null;
}

/** A node with its ports. */
export interface CabledNode {
  id: string;
  name: string;
  ports: readonly PortView[];
  /** ports with at least 80 Gb/s, as RDMA needs them */
  hasThunderbolt5: boolean;
  /** RDMA does not work through this port */
  portWithoutRdma: number | null;
}

/** An end of a cable: the index of the node, and the number of its port. */
export interface CableEnd {
  node: number;
  port: number;
}

export interface Cable {
  a: CableEnd;
  b: CableEnd;
  gbps: number | null;
  throughDock: boolean;
}

export interface Cabling {
  nodes: readonly CabledNode[];
  /** each once */
  cables: readonly Cable[];
  /** ports whose cable leads to a Mac that is no node of this cluster */
  strangers: readonly CableEnd[];
}

/**
 * Chips of Macs whose Thunderbolt ports carry 80 Gb/s (Apple's technical specifications). For others the speed of a cable
 * that is plugged in decides.
 */
const THUNDERBOLT_5 = /\bM3 Ultra\b|\bM4 (?:Pro|Max)\b|\bM5 (?:Pro|Max|Ultra)\b/;
/** The port of a Mac Studio next to Ethernet, with which RDMA does not work (exo's README, caveat 3; its code warns of en2). */
const STUDIO_PORT_WITHOUT_RDMA = 'en2';

export function cablingOf(all: readonly NodeStatus[]): Cabling {
  const nodes = all.map(cabledNode);
  const owner = new Map<string, CableEnd>();
  for (const [node, { facts }] of all.entries()) {
    for (const { domainUuid, receptacle } of facts?.thunderboltPorts ?? []) {
      if (domainUuid !== null && receptacle !== null) owner.set(domainUuid, { node, port: receptacle });
    }
  }
  const cables = new Map<string, Cable>();
  const strangers: CableEnd[] = [];
  for (const [node, { facts }] of all.entries()) {
    for (const { receptacle: port, peers, linkGbps } of facts?.thunderboltPorts ?? []) {
      if (port === null) continue;
      for (const { domainUuid, throughDock } of peers) {
        const end = { node, port };
        const far = owner.get(domainUuid);
        if (!far) {
          strangers.push(end);
          continue;
        }
        const [a, b] = [end, far].sort((x, y) => x.node - y.node || x.port - y.port) as [CableEnd, CableEnd];
        const key = `${a.node}.${a.port} ${b.node}.${b.port}`;
        const known = cables.get(key);
        // the slower of what the two ends say
        const speeds = [linkGbps, known?.gbps ?? null].filter((gbps) => gbps !== null);
        const gbps = speeds.length > 0 ? Math.min(...speeds) : null;
        cables.set(key, { a, b, gbps, throughDock: throughDock || known?.throughDock === true });
      }
    }
  }
  return { nodes, cables: [...cables.values()], strangers };
}

function cabledNode({ id, name, chip, facts }: NodeStatus): CabledNode {
  const told = facts?.thunderboltPorts ?? [];
  const hasThunderbolt5 =
    told.length > 0 && (THUNDERBOLT_5.test(chip) || told.some(({ linkGbps }) => (linkGbps ?? 0) > 40));
  const bad = told.find((port) => port.interface === STUDIO_PORT_WITHOUT_RDMA)?.receptacle ?? null;
  return {
    id,
    name,
    ports: told.flatMap(({ receptacle, connected, linkGbps }) =>
      receptacle === null ? [] : [{ number: receptacle, isUsed: connected, gbps: linkGbps }],
    ),
    hasThunderbolt5,
    portWithoutRdma: hasThunderbolt5 && facts?.modelName === 'Mac Studio' ? bad : null,
  };
}

/** The cables between two nodes, by their indices in either order. */
export function cablesBetween({ cables }: Cabling, x: number, y: number): Cable[] {
  return cables.filter(({ a, b }) => (a.node === x && b.node === y) || (a.node === y && b.node === x));
}
