// /etc/os-release: which Linux.
import { label, lines, type Parsed } from '../text.ts';

export interface OsRelease {
  name: string | null;
  version: string | null;
}

/** Values may stand in quotes. */
export function parseOsRelease(text: string): Parsed<OsRelease> {
  const fields = new Map<string, string>();
  for (const line of lines(text)) {
    const match = /^([A-Z_]{1,40})=(["']?)(.{0,200})\2$/.exec(line);
    if (match) fields.set(match[1] ?? '', match[3] ?? '');
  }
  return { value: { name: label(fields.get('NAME')), version: label(fields.get('VERSION_ID')) }, notes: [] };
}
