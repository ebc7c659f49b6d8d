// `sw_vers`: which macOS. RDMA needs the same version at both ends, betas included, so the build counts, too.
import type { MachineFacts } from '../../../protocol/facts.ts';
import { label, lines, note, type Parsed } from '../text.ts';

export function parseSwVers(text: string): Parsed<MachineFacts['os']> {
  const fields = new Map<string, string>();
  for (const line of lines(text)) {
    const match = /^(\w{1,40}):\s*(.{1,200})$/.exec(line);
    if (match) fields.set(match[1] ?? '', match[2] ?? '');
  }
  const version = label(fields.get('ProductVersion'));
  // `(a)`, of a rapid security response
  const extra = label(fields.get('ProductVersionExtra'));
  return {
    value: {
      name: label(fields.get('ProductName')),
      version: label(version !== null && extra !== null ? `${version} ${extra}` : version),
      build: label(fields.get('BuildVersion')),
    },
    notes: version === null ? [note('sw_vers', 'it told no version')] : [],
  };
}
