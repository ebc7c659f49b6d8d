// Hardware that somebody thinks of buying, from a line of text: `6x Mac Studio M2 Ultra 192GB, thunderbolt ring`. Pure and
// forgiving; what it does not understand it names, with an example.
import { EspalierError } from '../../protocol/errors.ts';
import type { Link } from '../../protocol/plan.ts';
import { MAX_BEAM_NODES } from './beam.ts';
import { CHIPS, chipOf, estimatedGpuBytes } from './chips.ts';
import type { NodeLink, PlannerNode } from './inputs.ts';
import { estimatedLink, type LinkName } from './links.ts';

export const HARDWARE_EXAMPLE = '6x Mac Studio M2 Ultra 192GB, thunderbolt ring';

export interface Hardware {
  nodes: PlannerNode[];
  links: NodeLink[];
  /** the network that all of them are on */
  otherLink: Link;
}

type Topology = 'ring' | 'line' | 'mesh';

/** Between parts of the text: `2x M3 Ultra 512GB + M2 Ultra 192GB, thunderbolt mesh; 10GbE`. */
const SEPARATOR = /\s*(?:[,;+&\n]|\b(?:and|with|over|via|plus)\b)\s*/i;
const MEMORY = /(\d+(?:\.\d+)?)\s*(gb|gib|g|tb|tib)\b/i;
const LIMIT = /\blimit(?:ed)?(?:\s+to|\s+of)?\s*[:=]?\s*(\d+(?:\.\d+)?)\s*(?:gb|gib|g)\b/i;
const COUNT = /(?:^|\s)(\d+)\s*[x×](?=\s|$|[a-z])|(?:^|\s)[x×]\s*(\d+)(?=\s|$)|^(\d+)\s+(?=[a-z])/i;
/** Numbers that count no Macs: `-3x`, `1.5x`. */
const NO_COUNT = /(?:^|\s)(?:[-+]\s*\d|\d*[.]\d+\s*[x×])/;
/** The smallest Mac with Apple's chips has 8 GB; eight times the largest of today. */
const MEMORY_GB = { least: 8, most: 4_096 };
const CHIP = /\bm\d+(?:\s+(?:pro|max|ultra))?\b/i;
const NETWORKS: readonly [RegExp, LinkName][] = [
  [/\b10\s*(?:gbe|gbit|gb\/s|g\s*ethernet|gigabit)/i, '10gbe'],
  [/\b2[.,]5\s*(?:gbe|gbit|gigabit)/i, '2.5gbe'],
  [/\bwi-?fi\b|\bwlan\b|\bwireless\b/i, 'wifi'],
  [/\b(?:1\s*)?gbe\b|\bgigabit\b|\bethernet\b|\blan\b/i, 'gbe'],
];

/**
 * The nodes and links of a line of text. Macs are given as `6x Mac Studio M2 Ultra 192GB`, also with `limit 180GB` for the
 * GPU's share of the memory; links as `thunderbolt ring`, `line` or `mesh` (a ring where nothing is said, between
 * neighbours in the order of the text), `10GbE`, `2.5GbE`, `ethernet`, `wifi`. Without a network, 1GbE is assumed.
 * @throws EspalierError bad_option with what was not understood and an example
 */
export function parseHardware(text: string): Hardware {
  const nodes: PlannerNode[] = [];
  let topology: Topology | undefined;
  let network: LinkName = 'gbe';
  for (const part of text.split(SEPARATOR).filter((each) => each !== '')) {
    const found = NETWORKS.find(([pattern]) => pattern.test(part));
    if (CHIP.test(part) && MEMORY.test(part)) nodes.push(...parseMacs(part, nodes));
    else if (/\b(?:thunderbolt|tb)\s*\d?\b/i.test(part)) topology = parseTopology(part);
    else if (found) network = found[1];
    else throw misunderstood(part, CHIP.test(part) ? memoryHint(part) : undefined);
  }
  if (nodes.length === 0) throw misunderstood(text.trim() || 'an empty text');
  if (nodes.length > MAX_BEAM_NODES)
    throw new EspalierError(
      'bad_option',
      `--hardware: ${nodes.length} nodes; at most ${MAX_BEAM_NODES} can be planned`,
    );
  return { nodes, links: topology ? cables(nodes, topology) : [], otherLink: estimatedLink(network) };
}

function parseMacs(part: string, before: readonly PlannerNode[]): PlannerNode[] {
  const limitBytes = bytesOf(LIMIT.exec(part)?.[1], 'gb');
  const rest = part.replace(LIMIT, ' ').trim();
  const memory = MEMORY.exec(rest);
  const memoryBytes = bytesOf(memory?.[1], memory?.[2]);
  if (memoryBytes === undefined) throw misunderstood(part, memoryHint(part));
  const memoryGB = memoryBytes / 2 ** 30;
  if (!(memoryGB >= MEMORY_GB.least && memoryGB <= MEMORY_GB.most))
    throw new EspalierError(
      'bad_option',
      `--hardware: "${part}": a Mac's memory is from ${MEMORY_GB.least} GB to ${MEMORY_GB.most / 1024} TB`,
    );
  // without the memory, or `512 GB M3 Ultra` would be 512 of them
  const counted = COUNT.exec(rest.replace(MEMORY, ' ').trim());
  const count = Number(counted?.[1] ?? counted?.[2] ?? counted?.[3] ?? 1);
  if (NO_COUNT.test(rest) || !(count >= 1 && count <= MAX_BEAM_NODES))
    throw new EspalierError(
      'bad_option',
      `--hardware: "${part}": a number of Macs from 1 to ${MAX_BEAM_NODES}`,
    );
  const words = (CHIP.exec(rest)?.[0] ?? '').toLowerCase().replace(/\s+/g, ' ');
  const { name, bandwidthGBps, computeTflops } = chipOf(words, memoryBytes);
  const chip = name ?? words.replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
  const prefix = chip.toLowerCase().replace(' ', '-');
  const same = before.filter((node) => node.chip === chip).length;
  return Array.from({ length: count }, (_, i): PlannerNode => {
    const id = `${prefix}-${same + i + 1}`;
    return {
      id,
      name: id,
      chip,
      memoryBytes,
      usableBytes:
        limitBytes === undefined ? estimatedGpuBytes(memoryBytes) : Math.min(limitBytes, memoryBytes),
      usableSource: 'estimate',
      bandwidthGBps,
      computeTflops,
      valueBytes: 2,
    };
  });
}

function parseTopology(part: string): Topology {
  if (/\bmesh\b|\bfull\b|\bevery\b|\ball\b/i.test(part)) return 'mesh';
  if (/\bline\b|\bchain\b|\bdaisy/i.test(part)) return 'line';
  const other = /\b(star|tree|hub|switch)\b/i.exec(part)?.[1];
  if (other !== undefined)
    throw misunderstood(part, `Thunderbolt cables make a ring, a line or a mesh, no ${other}`);
  return 'ring';
}

/** A cable per pair of neighbours, as fast as the slower end. */
function cables(nodes: readonly PlannerNode[], topology: Topology): NodeLink[] {
  const links: NodeLink[] = [];
  const add = (a: PlannerNode, b: PlannerNode) => {
    const isFast = generation(a) === 5 && generation(b) === 5;
    links.push({ between: [a.id, b.id], link: estimatedLink(isFast ? 'thunderbolt-5' : 'thunderbolt-4') });
  };
  for (const [i, node] of nodes.entries()) {
    for (const [j, other] of nodes.entries()) {
      const isRingEnd = i === 0 && j === nodes.length - 1 && topology === 'ring';
      if (j > i && (topology === 'mesh' || j === i + 1 || isRingEnd)) add(node, other);
    }
  }
  for (const node of nodes) {
    const needed = links.filter(({ between }) => between.includes(node.id)).length;
    const ports = portsOf(node);
    if (ports !== undefined && needed > ports) {
      throw new EspalierError(
        'bad_option',
        `--hardware: a ${topology} needs ${needed} Thunderbolt ports on ${node.name}, and a Mac with ${node.chip} has at most ${ports}: take a ring`,
      );
    }
  }
  return links;
}

function generation(node: PlannerNode): number {
  return CHIPS.find(({ name }) => name === node.chip)?.thunderbolt ?? 4;
}

function portsOf(node: PlannerNode): number | undefined {
  return CHIPS.find(({ name }) => name === node.chip)?.thunderboltPorts;
}

/** Memory is counted in units of 1024, as Macs are sold. */
function bytesOf(amount: string | undefined, unit = 'gb'): number | undefined {
  if (amount === undefined) return undefined;
  return Number(amount) * (/^t/i.test(unit) ? 2 ** 40 : 2 ** 30);
}

function memoryHint(part: string): string {
  const chip = CHIP.exec(part)?.[0] ?? '';
  const known = CHIPS.find(({ name }) => name.toLowerCase() === chip.toLowerCase().replace(/\s+/g, ' '));
  const sizes = known ? ` (${known.name} is sold with ${known.memoryGB.join(', ')} GB)` : '';
  return `it lacks the memory${sizes}`;
}

function misunderstood(
  part: string,
  why = 'it names neither a Mac with its chip and memory nor a link',
): EspalierError {
  return new EspalierError(
    'bad_option',
    `--hardware: "${part.slice(0, 100)}" is not understood: ${why}. Write it like "${HARDWARE_EXAMPLE}", ` +
      '"2x M4 Pro mini 64GB, 10GbE" or "M3 Ultra 512GB + M4 Max 128GB, thunderbolt"',
  );
}
