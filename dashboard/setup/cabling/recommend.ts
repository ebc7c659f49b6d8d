// The cabling that is recommended for the nodes that there are: a full mesh where every port can do RDMA and there are
// enough of them, else a ring, with as many of the present cables as possible left where they are. Pure.
import { type Cable, type CabledNode, type CableEnd, type Cabling, cablesBetween } from './cables.ts';

export type Shape = 'none' | 'cable' | 'ring' | 'mesh' | 'line';

/** A cable that should be there. */
export interface WantedCable {
  a: CableEnd | PortlessEnd;
  b: CableEnd | PortlessEnd;
  isThere: boolean;
}

/** No port is free at this node. */
export interface PortlessEnd {
  node: number;
  port: null;
}

export interface Recommendation {
  shape: Shape;
  /** why this shape, in a sentence */
  why: string;
  /** indices of the nodes with Thunderbolt: around the ring, along the line, or as they are */
  order: readonly number[];
  wanted: readonly WantedCable[];
  /** cables that are there and lead nowhere useful */
  superfluous: readonly Cable[];
}

/** All orders of so many nodes are tried: 5,040 of a ring of eight. */
const MAX_TRIED = 8;

export function recommend(cabling: Cabling): Recommendation {
  const withPorts = cabling.nodes.flatMap(({ ports }, index) => (ports.length > 0 ? [index] : []));
  const { shape, why } = shapeOf(cabling.nodes, withPorts);
  const order = shape === 'ring' || shape === 'line' ? bestOrder(cabling, withPorts, shape) : withPorts;
  const pairs = shape === 'none' ? [] : pairsOf(shape, order);
  // in a mesh every cable is meant for RDMA
  const isRdma = shape === 'mesh';
  const kept = pairs.flatMap(([x, y]) => keptCable(cabling, x, y, isRdma) ?? []);
  const taken = new Set(kept.flatMap(({ a, b }) => [endKey(a), endKey(b)]));
  const superfluous = shape === 'none' ? [] : cabling.cables.filter((cable) => !kept.includes(cable));
  const freed = new Set(superfluous.flatMap(({ a, b }) => [endKey(a), endKey(b)]));
  const wanted = pairs.map(([x, y]): WantedCable => {
    const there = keptCable(cabling, x, y, isRdma);
    if (there) return { a: there.a, b: there.b, isThere: true };
    return { a: freePort(x), b: freePort(y), isThere: false };
  });
  return { shape, why, order, wanted, superfluous };

  function freePort(node: number): CableEnd | PortlessEnd {
    const { ports = [], portWithoutRdma } = cabling.nodes[node] ?? {};
    const port = ports
      .filter(({ number }) => !(isRdma && number === portWithoutRdma))
      .find(({ number, isUsed }) => {
        const key = endKey({ node, port: number });
        return !taken.has(key) && (!isUsed || freed.has(key));
      });
    if (!port) return { node, port: null };
    taken.add(endKey({ node, port: port.number }));
    return { node, port: port.number };
  }
}

function shapeOf(nodes: readonly CabledNode[], withPorts: readonly number[]): { shape: Shape; why: string } {
  const count = withPorts.length;
  if (count < 2) {
    const why =
      count === 0
        ? 'No Thunderbolt ports are known here: the nodes reach one another by the network.'
        : 'Only one node has Thunderbolt ports: the nodes reach one another by the network.';
    return { shape: 'none', why };
  }
  if (count === 2) return { shape: 'cable', why: 'Two Macs need one cable.' };
  const each = withPorts.map((index) => nodes[index] as CabledNode);
  const rdmaPorts = each.map(
    ({ ports, portWithoutRdma }) => ports.length - (portWithoutRdma === null ? 0 : 1),
  );
  const needed = count - 1;
  if (each.every(({ hasThunderbolt5 }) => hasThunderbolt5) && Math.min(...rdmaPorts) >= needed) {
    const why =
      `${count} Macs with Thunderbolt 5 and ${needed} ports for it each: a full mesh, in which each two can use RDMA, ` +
      "for MLX Distributed. For Espalier's own engine a ring is enough.";
    return { shape: 'mesh', why };
  }
  if (each.every(({ ports }) => ports.length >= 2)) {
    const slow = each.find(({ hasThunderbolt5 }) => !hasThunderbolt5);
    const short = each.find((_, index) => (rdmaPorts[index] ?? 0) < needed);
    const because = slow
      ? `${slow.name} has no Thunderbolt 5, which RDMA needs`
      : `a full mesh would need ${needed} ports for RDMA on each, and ${short?.name} has ${rdmaPorts[each.indexOf(short as CabledNode)]}`;
    return { shape: 'ring', why: `A ring, in which each stage has a cable to the next one: ${because}.` };
  }
  return { shape: 'line', why: 'A line, because not every Mac has two Thunderbolt ports.' };
}

function pairsOf(shape: Shape, order: readonly number[]): [number, number][] {
  if (shape === 'mesh') {
    return order.flatMap((x, i) => order.slice(i + 1).map((y): [number, number] => [x, y]));
  }
  const steps = order.slice(0, -1).map((x, i): [number, number] => [x, order[i + 1] as number]);
  const isRing = shape === 'ring';
  return isRing ? [...steps, [order.at(-1) as number, order[0] as number]] : steps;
}

/** The order that keeps the most cables; of equal ones the first, by the nodes' own order. */
function bestOrder(cabling: Cabling, nodes: readonly number[], shape: 'ring' | 'line'): readonly number[] {
  const [first, ...rest] = nodes;
  if (first === undefined) return [];
  if (nodes.length > MAX_TRIED) return followed(cabling, first, rest);
  const kept = (order: readonly number[]) =>
    pairsOf(shape, order).filter(([x, y]) => keptCable(cabling, x, y, false)).length;
  let best: readonly number[] = nodes;
  // a ring may begin anywhere; a line may not
  const orders =
    shape === 'ring' ? permutations(rest).map((order) => [first, ...order]) : permutations(nodes);
  for (const order of orders) if (kept(order) > kept(best)) best = order;
  return best;
}

/** From node to node along the cables. */
function followed(cabling: Cabling, first: number, rest: readonly number[]): number[] {
  const order = [first];
  const left = [...rest];
  while (left.length > 0) {
    const at = order.at(-1) as number;
    const next = left.findIndex((node) => cablesBetween(cabling, at, node).length > 0);
    order.push(...left.splice(Math.max(0, next), 1));
  }
  return order;
}

function permutations(items: readonly number[]): number[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, i) =>
    permutations([...items.slice(0, i), ...items.slice(i + 1)]).map((order) => [item, ...order]),
  );
}

/** The cable between two nodes that may stay: straight, the fastest, and for RDMA not in a port without it. */
function keptCable(cabling: Cabling, x: number, y: number, isRdma: boolean): Cable | undefined {
  const avoided = ({ node, port }: CableEnd) => isRdma && cabling.nodes[node]?.portWithoutRdma === port;
  return cablesBetween(cabling, x, y)
    .filter(({ a, b, throughDock }) => !throughDock && !avoided(a) && !avoided(b))
    .sort((one, other) => (other.gbps ?? 0) - (one.gbps ?? 0))[0];
}

function endKey({ node, port }: CableEnd): string {
  return `${node}.${port}`;
}
