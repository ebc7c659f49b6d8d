// Cablings as drawings of characters and as words. Pure.
import { printable } from '../../format.ts';
import type { Cable, CableEnd, Cabling } from './cables.ts';
import type { PortlessEnd, Recommendation, WantedCable } from './recommend.ts';

/** ═ is there, ┄ is to be plugged in. */
const THERE = { across: '═', down: '║', corner: '╝' };
const MISSING = { across: '┄', down: '┆', corner: '┘' };
const GAP = 5;

/** One line for each cable that there is. */
export function drawSeen(cabling: Cabling): string[] {
  const width = Math.max(0, ...cabling.nodes.map(({ name }) => [...printable(name)].length)) + 16;
  return cabling.cables.map(({ a, b, gbps, throughDock }) => {
    const about = [gbps === null ? '' : `${gbps} Gb/s`, throughDock ? 'through a dock' : ''];
    const label = about.filter((part) => part !== '').join(' ');
    const middle = label === '' ? '══' : ` ${label} `;
    return `${endText(cabling, a).padEnd(width)} ══${middle}══ ${endText(cabling, b)}`;
  });
}

/** The recommended shape: a row, a ring in two rows, or a table of ports. */
export function drawWanted(cabling: Cabling, { shape, order, wanted }: Recommendation): string[] {
  if (shape === 'none') return [];
  if (shape === 'mesh') return mesh(cabling, order, wanted);
  const names = order.map((index) => printable(cabling.nodes[index]?.name ?? ''));
  const marks = wanted.map(({ isThere }) => (isThere ? THERE : MISSING));
  if (shape !== 'ring') {
    return [names.map((name, i) => (i === 0 ? name : ` ${marks[i - 1]?.across.repeat(3)} ${name}`)).join('')];
  }
  return ring(names, marks);
}

/** The first half of the nodes above, the others below and backwards. */
function ring(names: readonly string[], marks: readonly (typeof THERE)[]): string[] {
  const half = Math.ceil(names.length / 2);
  const width = Math.max(...names.map((name) => [...name].length));
  const column = (index: number) => index * (width + GAP);
  const last = column(half - 1) + Math.floor(width / 2);
  const top = names.slice(0, half);
  const bottom = names.slice(half).reverse();
  // mark i leads from node i to the next one
  const row = (cells: readonly string[], markOf: (gap: number) => typeof THERE | undefined) =>
    cells
      .map((name, i) => {
        const across = markOf(i)?.across ?? ' ';
        const isLast = i === cells.length - 1;
        return isLast ? name : `${name} ${across.repeat(width - [...name].length + GAP - 2)} `;
      })
      .join('');
  const down = marks[half - 1] ?? THERE;
  const up = marks[names.length - 1] ?? THERE;
  const between = `${' '.repeat(Math.floor(width / 2))}${up.down}`.padEnd(last) + down.down;
  let below = row(bottom, (gap) => marks[names.length - 2 - gap]);
  if (bottom.length < half)
    below = `${below} ${down.across.repeat(last - [...below].length - 1)}${down.corner}`;
  return [row(top, (gap) => marks[gap]), between, below];
}

/** Row by row: which port of this Mac leads to which other one; in brackets where no cable is yet. */
function mesh(cabling: Cabling, order: readonly number[], wanted: readonly WantedCable[]): string[] {
  const names = order.map((index) => printable(cabling.nodes[index]?.name ?? ''));
  const width = Math.max(4, ...names.map((name) => [...name].length)) + 2;
  const cell = (row: number, column: number): string => {
    if (row === column) return '·';
    const cable = wanted.find(({ a, b }) => [a, b].every(({ node }) => node === row || node === column));
    const port = [cable?.a, cable?.b].find((end) => end?.node === row)?.port;
    if (port === undefined || port === null) return 'none';
    return cable?.isThere ? String(port) : `(${port})`;
  };
  const line = (cells: readonly string[]) =>
    cells
      .map((text) => text.padEnd(width))
      .join('')
      .trimEnd();
  return [
    line(['', ...names]),
    ...order.map((row, i) => line([names[i] ?? '', ...order.map((column) => cell(row, column))])),
  ];
}

/** What is to be done with cables, one sentence each; none when all is as it should be. */
export function cablingWork(cabling: Cabling, { shape, wanted, superfluous }: Recommendation): string[] {
  const isMesh = shape === 'mesh';
  return [
    ...superfluous.map(
      (cable) => `Take out: ${cableText(cabling, cable)} (${whyOut(cabling, cable, isMesh)}).`,
    ),
    ...wanted
      .filter(({ isThere }) => !isThere)
      .map(({ a, b }) => `Plug in: ${endText(cabling, a)} to ${endText(cabling, b)}.`),
    ...cabling.strangers.map(
      (end) => `${endText(cabling, end)} leads to a Mac that is no node of this cluster yet.`,
    ),
  ];
}

function whyOut({ nodes }: Cabling, { a, b, throughDock }: Cable, isMesh: boolean): string {
  if (a.node === b.node) return 'it leads back to the same Mac';
  if (throughDock) return 'it passes a dock, which shares its speed and cannot do RDMA';
  const bad = [a, b].find(({ node, port }) => isMesh && nodes[node]?.portWithoutRdma === port);
  if (bad) return `RDMA does not work in the port next to Ethernet, Thunderbolt ${bad.port} of a Mac Studio`;
  return isMesh ? 'a second cable between the same two Macs' : 'it is no part of the ring, or a second one';
}

function cableText(cabling: Cabling, { a, b }: Cable): string {
  return `${endText(cabling, a)} to ${endText(cabling, b)}`;
}

function endText({ nodes }: Cabling, { node, port }: CableEnd | PortlessEnd): string {
  const name = printable(nodes[node]?.name ?? '?');
  return port === null ? `${name} (no port is free)` : `${name} Thunderbolt ${port}`;
}
