// Clusters of Macs that never were, for the wizard's pages: each Mac's outputs are read by the agent's own parsers and cut
// down by the controller, as they would be.
import { machineStatus } from '../../../controller/machine-status.ts';
import type { LinksReport } from '../../../protocol/links.ts';
import { ClusterStatus, type NodeStatus } from '../../../protocol/status.ts';
import { FakeMac, type FakeMacOptions, type FakePort, portUuid } from '../../support/fake-mac.ts';
import { SAMPLE_TIME, sampleNode, sampleStatus } from '../sample.ts';

/** A cable: Mac and port, Mac and port; and what is particular about it. */
export type SceneCable = readonly [
  macA: number,
  portA: number,
  macB: number,
  portB: number,
  about?: { gbps?: number; throughDock?: boolean },
];

export interface Scene {
  macs: number;
  cables: readonly SceneCable[];
  /** of a Mac; its ports are numbered from 1 on */
  portCount?: number;
  each?: (mac: number) => FakeMacOptions;
  chip?: string;
}

/** A Mac of a scene, numbered from 1 on. Its port 1 is en2, next to Ethernet. */
export function sceneMac(
  { cables, portCount = 6, each, chip = 'Apple M3 Ultra' }: Scene,
  mac: number,
): FakeMac {
  const ports = Array.from({ length: portCount }, (_, index): FakePort => {
    const number = index + 1;
    const cable = cables.find(([a, portA, b, portB]) => {
      return (a === mac && portA === number) || (b === mac && portB === number);
    });
    const gbps = chip.includes('M2') ? 40 : 80;
    const port = { number, interface: `en${number + 1}`, gbps };
    if (!cable) return port;
    const [a, portA, b, portB, about] = cable;
    const isFirst = a === mac && portA === number;
    return { ...port, peer: isFirst ? portUuid(b, portB) : portUuid(a, portA), ...about };
  });
  return new FakeMac(mac, { chip, ports, rdma: 'enabled', wiredLimitMb: 491_520, ...each?.(mac) });
}

export function sceneNodes(scene: Scene): NodeStatus[] {
  return Array.from({ length: scene.macs }, (_, index) => {
    const facts = machineStatus(sceneMac(scene, index + 1).facts());
    return sampleNode(index, { chip: scene.chip ?? 'Apple M3 Ultra', facts });
  });
}

export function sceneStatus(scene: Scene): ClusterStatus {
  return ClusterStatus.parse({ ...sampleStatus(), nodes: sceneNodes(scene) });
}

/** Nothing was found by measuring. */
export const QUIET_LINKS: LinksReport = {
  at: SAMPLE_TIME,
  measuring: null,
  waiting: 0,
  blocked: null,
  pairs: [],
  findings: [],
};

const ring = (count: number): SceneCable[] =>
  Array.from({ length: count }, (_, i) => [i + 1, 2, ((i + 1) % count) + 1, 3]);
const mesh = (count: number): SceneCable[] => {
  const next = new Map<number, number>();
  const take = (mac: number) => {
    const port = next.get(mac) ?? 2; // 1 is next to Ethernet
    next.set(mac, port + 1);
    return port;
  };
  const cables: SceneCable[] = [];
  for (let a = 1; a <= count; a += 1) {
    for (let b = a + 1; b <= count; b += 1) cables.push([a, take(a), b, take(b)]);
  }
  return cables;
};

export const SCENES = {
  'two-studios': { macs: 2, cables: [[1, 2, 2, 2]] },
  'four-studios': { macs: 4, cables: mesh(4) },
  'four-studios-in-a-ring': { macs: 4, cables: ring(4) },
  'six-studios': { macs: 6, cables: mesh(6) },
  'six-m2-ultras': { macs: 6, cables: ring(6), chip: 'Apple M2 Ultra', each: () => ({ rdma: 'disabled' }) },
  'five-minis-half-cabled': {
    macs: 5,
    cables: [
      [1, 1, 2, 2],
      [2, 1, 3, 2],
      [4, 1, 5, 2],
    ],
    portCount: 3,
    chip: 'Apple M4 Pro',
    each: () => ({ model: 'Mac mini' }),
  },
  'wrong-cables': {
    macs: 4,
    cables: [
      [1, 1, 2, 2],
      [1, 2, 2, 3],
      [3, 2, 3, 3],
      [3, 4, 4, 4, { throughDock: true, gbps: 40 }],
      [1, 4, 9, 1],
    ],
  },
  'bridge-loop': { macs: 3, cables: ring(3), each: () => ({ isBridged: true }) },
  'rdma-off': { macs: 2, cables: [[1, 2, 2, 2]], each: () => ({ rdma: 'disabled' }) },
  'wifi-only': { macs: 2, cables: [], each: () => ({ isWifiOnly: true }) },
  'mixed-versions': {
    macs: 3,
    cables: ring(3),
    each: (mac: number) => ({
      os: mac === 2 ? '26.1' : '26.2',
      build: mac === 2 ? '25B78' : '25C56',
      acPower: { sleep: mac === 3 ? 10 : 0 },
    }),
  },
} as const satisfies Record<string, Scene>;
