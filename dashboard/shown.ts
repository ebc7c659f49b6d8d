// Which nodes and requests are shown, and in which order, under a filter. Pure.
import type { RequestStatus } from '../protocol/status.ts';
import type { NodeRow } from './node-rows.ts';

const has = (texts: readonly (string | null | undefined)[], filter: string): boolean =>
  texts.some((text) => text?.toLowerCase().includes(filter.toLowerCase()));

/** Those whose name, chip or state holds the filter. */
export function shownNodes(rows: readonly NodeRow[], filter: string): readonly NodeRow[] {
  if (filter === '') return rows;
  return rows.filter(({ name, state, node }) => has([name, state, node?.chip], filter));
}

/** Those whose id, client or phase holds the filter; the oldest first. */
export function shownRequests(requests: readonly RequestStatus[], filter: string): readonly RequestStatus[] {
  const shown =
    filter === ''
      ? [...requests]
      : requests.filter(({ id, client, phase }) => has([id, client, phase], filter));
  return shown.sort((a, b) => b.ageMs - a.ageMs);
}

/**
 * The part of a list that fits, with the selected one in it.
 * @returns where it begins, and how many are shown; where not all fit, one of several lines is kept for telling how many more
 */
export function windowOf(count: number, selected: number, lines: number): { begin: number; shown: number } {
  if (count <= lines) return { begin: 0, shown: count };
  const shown = lines < 2 ? Math.max(0, lines) : lines - 1;
  const begin = Math.min(Math.max(0, selected - shown + 1), count - shown);
  return { begin, shown };
}
