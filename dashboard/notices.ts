// What a person must know before reading the numbers, pure: that the picture is old, and why the cluster does not serve.
import { formatAge, printable } from './format.ts';
import type { ViewState } from './store.ts';

export interface Notice {
  kind: 'gone' | 'reason';
  text: string;
  /** lines that it takes */
  lines: number;
}

/** A reason may be a sentence or two; more is in the events. */
const MAX_LINES = 3;

/**
 * The notices of a view, the most important first.
 * @param now milliseconds since 1970
 * @param columns the width that they are wrapped to
 */
export function noticesOf({ connection, status }: ViewState, now: number, columns: number): Notice[] {
  const notices: Notice[] = [];
  const add = (kind: Notice['kind'], text: string) => {
    // words do not fill lines: a tenth is lost at their ends
    const lines = Math.min(MAX_LINES, text.length <= columns ? 1 : Math.ceil((text.length * 1.1) / columns));
    notices.push({ kind, text, lines });
  };
  if (connection.kind === 'gone') {
    const age = formatAge(now - connection.since);
    add('gone', `✗ no news for ${age}: ${printable(connection.trouble)} (this picture is old; trying again)`);
  }
  if (status?.reason != null) add('reason', `! ${printable(status.reason)}`);
  return notices;
}
