// Who waits and who is paired, as text for people.
import type { PairingReport } from '../../../protocol/pairing.ts';
import { table } from '../table.ts';

/** @returns lines without a last line break */
export function pairingReport({ waiting, paired }: PairingReport): string {
  const parts: string[] = [];
  if (waiting.length > 0) {
    const rows = waiting.map(({ name, id, address, showsCode }) => {
      const next = showsCode
        ? `espalier pair ${name}`
        : 'its join token is of no use here: start its agent without';
      return [name, id, address, next];
    });
    parts.push(table([['waits', 'id', 'at', 'next'], ...rows]));
  } else {
    parts.push('No node waits to be paired. On each Mac: `espalier agent`.');
  }
  if (paired.length > 0) {
    const rows = paired.map(({ name, id, pairedAt }) => [name, id, pairedAt.slice(0, 10)]);
    parts.push(table([['paired', 'id', 'since'], ...rows]));
  }
  return parts.join('\n\n');
}
