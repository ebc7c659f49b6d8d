// What a person must know before reading the numbers, pure: that the picture is old, and why the cluster does not serve.
import { formatAge, printable } from './format.ts';
import type { ViewState } from './store.ts';

export interface Notice {
  kind: 'gone' | 'reason';
  text: string;
}

/**
 * The notices of a view, the most important first.
 * @param now milliseconds since 1970
 */
export function noticesOf({ connection, status }: ViewState, now: number): Notice[] {
  const notices: Notice[] = [];
  if (connection.kind === 'gone') {
    const age = formatAge(now - connection.since);
    const text = `✗ no news for ${age}: ${printable(connection.trouble)} (this picture is old; trying again)`;
    notices.push({ kind: 'gone', text });
  }
  if (status?.reason != null) notices.push({ kind: 'reason', text: `! ${printable(status.reason)}` });
  return notices;
}
