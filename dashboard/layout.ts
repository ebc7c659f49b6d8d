// What fits: which columns the table of nodes has, and how many lines each part of the screen gets. Pure numbers; it
// knows neither texts nor the status.

/** The columns of the table of nodes, in their order on the screen. */
export const COLUMN_ORDER = [
  'name',
  'layers',
  'rate',
  'history',
  'step',
  'busy',
  'idle',
  'memory',
  'hop',
  'gpu',
  'power',
  'heat',
  'chip',
] as const;
export type ColumnName = (typeof COLUMN_ORDER)[number];

/** Widths in cells; a column that is missing is not shown. */
export type Columns = Partial<Record<ColumnName, number>>;

/** Columns stand one cell apart, behind three for what is selected, how it is, and whether it limits. */
export const MARKS_WIDTH = 4;
const GAP = 1;

/** In the order in which they are given up, last first, when the terminal is narrower than 60. */
const NARROW: readonly (readonly [ColumnName, number])[] = [
  ['name', 9],
  ['layers', 6],
  ['rate', 5],
  ['step', 6],
  ['busy', 4],
  ['memory', 11],
  ['history', 8],
];

/** What more room buys, in this order. */
const EXTRAS: readonly Columns[] = [
  { busy: 8 },
  { history: 12 },
  { memory: 20 },
  { name: 14 },
  { history: 20 },
  { hop: 9 },
  { gpu: 4 },
  { idle: 5 },
  { power: 6 },
  { heat: 8 },
  { busy: 12 },
  { history: 30 },
  { chip: 16 },
  { memory: 26 },
  { name: 20 },
  { history: 60 },
  { chip: 26 },
];

/** The columns that fit into `width` cells. */
export function chooseColumns(width: number): Columns {
  let columns: Columns = {};
  for (const [name, columnWidth] of NARROW) {
    const wider = { ...columns, [name]: columnWidth };
    if (tableWidth(wider) > width) return columns;
    columns = wider;
  }
  for (const extra of EXTRAS) {
    const wider = { ...columns, ...extra };
    if (tableWidth(wider) > width) break;
    columns = wider;
  }
  return columns;
}

export function tableWidth(columns: Columns): number {
  return Object.values(columns).reduce((sum, width) => sum + GAP + width, MARKS_WIDTH - GAP);
}

export interface Parts {
  /** lines above the table that are there in any case: the cluster, notices */
  headLines: number;
  nodeCount: number;
  requestCount: number;
  /** a line below the table says what limits */
  hasReason: boolean;
}

/** What one node gets: its line · and the hop to the next · and its memory and machine. */
export type Density = 1 | 2 | 3;

export interface Lines {
  /** an empty line between the parts */
  isSpaced: boolean;
  density: Density;
  /** lines of the table below its heading, hops and all; one tells how many more nodes there are where not all fit */
  nodes: number;
  /** of a chart of the cluster's rate, with its heading; 0 where there is no room to spare */
  chart: number;
  /** lines below the requests' heading, and below that of what happened */
  requests: number;
  happened: number;
  /** requests and what happened stand side by side */
  isSideBySide: boolean;
}

const SIDE_BY_SIDE_COLUMNS = 110;
const SPACED_FROM_ROWS = 20;
/** A chart is drawn where the lists have enough without it. */
const CHART_FROM_SPARE = 16;
const CHART_LINES = 6;
/** What happened last, with its fix. */
const MIN_HAPPENED = 2;
/** Below the heading of the requests, once there is room for more than the table. */
const EASY_REQUESTS = 4;
const EASY_HAPPENED = 5;

/** How many lines each part gets on a screen of this size. Nodes come first, then one request, then what happened. */
export function shareLines(size: { columns: number; rows: number }, parts: Parts): Lines {
  const isSideBySide = size.columns >= SIDE_BY_SIDE_COLUMNS;
  const isSpaced = size.rows >= SPACED_FROM_ROWS;
  const headings = isSideBySide ? 1 : 2;
  const gaps = isSpaced ? 1 + headings : 0;
  // the table's heading and the footer
  const fixed = parts.headLines + 2 + (parts.hasReason ? 1 : 0) + headings + gaps;
  const room = Math.max(0, size.rows - fixed);
  const nodeCount = Math.max(1, parts.nodeCount);
  const easy = isSideBySide
    ? Math.max(EASY_REQUESTS, EASY_HAPPENED)
    : Math.min(EASY_REQUESTS, Math.max(1, parts.requestCount)) + EASY_HAPPENED;
  const density: Density = ([3, 2] as const).find((lines) => nodeCount * lines + easy <= room) ?? 1;
  const least = isSideBySide ? MIN_HAPPENED : MIN_HAPPENED + 1;
  const nodes = Math.min(nodeCount * density, Math.max(1, room - least));
  const spare = Math.max(0, room - nodes);
  const chart = spare >= CHART_FROM_SPARE ? CHART_LINES : 0;
  const rest = spare - chart - (chart > 0 ? 1 : 0);
  const common = { isSpaced, density, nodes, chart, isSideBySide };
  if (isSideBySide) return { ...common, requests: rest, happened: rest };
  const requests = Math.min(Math.max(1, parts.requestCount), Math.max(Math.min(1, rest), rest >> 1));
  return { ...common, requests, happened: rest - requests };
}
