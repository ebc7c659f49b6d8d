// What fits: which columns of the node table and how many lines of each part a terminal of a given size can show.
// Pure numbers; it knows neither Ink nor the status.

/** The columns of the node table, in their order on the screen. */
export const COLUMN_ORDER = [
  'name',
  'layers',
  'rate',
  'decodeRate',
  'history',
  'step',
  'busy',
  'memory',
  'weights',
  'kv',
  'resident',
  'hop',
  'pid',
  'chip',
] as const;
export type ColumnName = (typeof COLUMN_ORDER)[number];

/** Widths in characters; a column that is missing is not shown. */
export type Columns = Partial<Record<ColumnName, number>>;

/** Columns stand one space apart, behind a mark of two characters. */
export const MARK_WIDTH = 2;
const GAP = 1;

/** In the order in which they are given up, last first, when the terminal is narrower than 60. */
const NARROW: readonly (readonly [ColumnName, number])[] = [
  ['name', 10],
  ['layers', 6],
  ['rate', 5],
  ['step', 7],
  ['busy', 8],
  ['memory', 11],
  ['history', 5],
];

/** What more room buys, in this order. `grow` widens a column, `split` puts separate columns in place of `memory`. */
const EXTRAS: readonly Columns[] = [
  { weights: 8, resident: 8 },
  { history: 10 },
  { name: 14 },
  { kv: 8 },
  { busy: 12 },
  { decodeRate: 8 },
  { history: 20 },
  { pid: 7 },
  { hop: 9 },
  { chip: 16 },
  { history: 30 },
  { name: 24 },
  { busy: 20 },
  { chip: 26 },
];

/** The columns that fit into `width` characters. */
export function chooseColumns(width: number): Columns {
  let columns: Columns = {};
  for (const [name, columnWidth] of NARROW) {
    const wider = { ...columns, [name]: columnWidth };
    if (tableWidth(wider) <= width) columns = wider;
  }
  if (columns.memory === undefined) return columns;
  for (const extra of EXTRAS) {
    const wider: Columns = { ...columns, ...extra };
    if (extra.weights !== undefined) delete wider.memory;
    if (tableWidth(wider) > width) break;
    columns = wider;
  }
  return columns;
}

function tableWidth(columns: Columns): number {
  return Object.values(columns).reduce((sum, width) => sum + GAP + width, MARK_WIDTH - GAP);
}

export interface Parts {
  /** lines that the notices (why it does not serve, that the controller is gone) take */
  noticeLines: number;
  nodeCount: number;
  requestCount: number;
}

export interface Lines {
  /** an empty line between the parts */
  spaced: boolean;
  /** lines of the node table without its heading; one of them tells how many more there are when not all fit */
  nodes: number;
  /** lines below the requests' heading, and below the events' */
  requests: number;
  events: number;
  /** requests and events stand side by side */
  sideBySide: boolean;
}

const SIDE_BY_SIDE_WIDTH = 110;
/** header, totals, the node table's heading, footer */
const FIXED_LINES = 4;
const SPACED_FROM_ROWS = 20;
const MIN_EVENT_LINES = 2;

/** How many lines each part gets on a screen of this size. Nodes come first, then one request, then the events. */
export function shareLines(size: { columns: number; rows: number }, parts: Parts): Lines {
  const sideBySide = size.columns >= SIDE_BY_SIDE_WIDTH;
  const spaced = size.rows >= SPACED_FROM_ROWS;
  const headings = sideBySide ? 1 : 2;
  const gaps = spaced ? 1 + headings : 0;
  const room = Math.max(0, size.rows - FIXED_LINES - parts.noticeLines - headings - gaps);
  const below = sideBySide ? MIN_EVENT_LINES : MIN_EVENT_LINES + 1;
  const nodes = Math.min(Math.max(1, parts.nodeCount), Math.max(1, room - below));
  const rest = Math.max(0, room - nodes);
  if (sideBySide) return { spaced, nodes, requests: rest, events: rest, sideBySide };
  const requests = Math.min(Math.max(1, parts.requestCount), Math.max(Math.min(1, rest), rest >> 1));
  return { spaced, nodes, requests, events: rest - requests, sideBySide };
}
