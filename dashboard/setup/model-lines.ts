// Models as the wizard's pages show them: an offer as an option, and what deploying one would mean. Pure.
import { DISK_RESERVE_BYTES } from '../../protocol/limits.ts';
import { formatNumber, printable } from '../format.ts';
import { diskBytes } from '../pull-text.ts';
import type { DiskNeed, ModelOffer, PaperPlan } from './actions.ts';
import { BLANK, fixed, type Line, type Option } from './talk.ts';

const MARKS: Record<ModelOffer['place'], string> = {
  deployed: '●',
  stored: '●',
  partial: '◐',
  local: '●',
  hub: '○',
};
const PLACES: Record<ModelOffer['place'], string> = {
  deployed: 'answers now',
  stored: 'on the nodes',
  partial: 'begun',
  local: 'on this machine',
  hub: 'to fetch',
};

/** The offers as a table, whose first columns say the most: a narrow terminal cuts off the last ones. */
export function offerOptions(offers: readonly ModelOffer[]): Option[] {
  const rows = offers.map((offer) => {
    const { name, sizeBytes, predicted, refused, place, quantization, licence } = offer;
    const fit = predicted === null ? 'does not fit' : `${formatNumber(predicted)} tok/s`;
    return {
      cells: [shortName(name), diskBytes(sizeBytes), fit, PLACES[place], quantization],
      rest: refused === null ? (licence ?? '') : refused,
      mark: MARKS[place],
      value: name,
    };
  });
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...rows.map(({ cells }) => cells[column]?.length ?? 0)),
  );
  return rows.map(({ cells, rest, mark, value }) => {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 1 ? cell.padStart(width) : cell.padEnd(width);
    });
    return { value, label: printable(`${mark} ${padded.join('  ')}  ${rest}`.trimEnd()) };
  });
}

/** The catalogue's organisation says nothing; a folder is told by its last name. */
export function shortName(name: string): string {
  return name.startsWith('/') ? `…/${name.split('/').at(-1)}` : name.replace(/^mlx-community\//, '');
}

/** What a chosen model is, what it takes of each node, and its plan. */
export function offerLines(offer: ModelOffer, { text, disks }: PaperPlan): Line[] {
  return [
    { text: printable(offer.name), tone: 'title' },
    { text: factsOf(offer), tone: 'quiet' },
    BLANK,
    ...diskLines(disks),
    ...fixed(text.split('\n')),
  ];
}

/** Why a model cannot be deployed. */
export function refusedLines(offer: ModelOffer): Line[] {
  return [
    { text: printable(offer.name), tone: 'title' },
    { text: factsOf(offer), tone: 'quiet' },
    BLANK,
    { text: `✗ It does not fit: ${printable(offer.refused ?? '')}`, tone: 'warn' },
  ];
}

/** Bytes that have to come to the nodes, about. */
export function bytesToFetch(disks: readonly DiskNeed[]): number {
  return disks.reduce((sum, { needBytes, heldBytes }) => sum + Math.max(0, needBytes - heldBytes), 0);
}

function factsOf({ sizeBytes, quantization, licence, place, predicted }: ModelOffer): string {
  const size = `${place === 'hub' ? 'about ' : ''}${diskBytes(sizeBytes)} in files`;
  const speed = predicted === null ? '' : `; ${formatNumber(predicted)} tok/s for one stream (predicted)`;
  return printable(`${size}, ${quantization}, licence: ${licence ?? 'not told'}; ${PLACES[place]}${speed}`);
}

function diskLines(disks: readonly DiskNeed[]): Line[] {
  if (disks.length === 0) return [];
  const width = Math.max(...disks.map(({ node }) => printable(node).length));
  const lines = disks.map(({ node, needBytes, heldBytes, freeBytes }): Line => {
    const missing = Math.max(0, needBytes - heldBytes);
    const isTight = freeBytes !== null && missing > 0 && freeBytes < missing + DISK_RESERVE_BYTES;
    const free = freeBytes === null ? 'does not tell what is free' : `${diskBytes(freeBytes)} free`;
    const held = heldBytes > 0 ? `${missing === 0 ? 'all' : diskBytes(heldBytes)} there already, ` : '';
    const text = `${isTight ? '!' : ' '} ${printable(node).padEnd(width)}  ${diskBytes(needBytes)}, ${held}${free}`;
    return {
      text: isTight ? `${text}: too little, for ${diskBytes(DISK_RESERVE_BYTES)} stay free` : text,
      tone: isTight ? 'warn' : 'plain',
    };
  });
  return [{ text: 'What each node is to hold on its disk, about:' }, ...lines, BLANK];
}
