// A file of the system that a change writes: by copying one from Espalier's home, with what was there before kept beside it.
// Pure; it must not know what the file holds.
import { basename, join } from 'node:path';
import type { Argv, SystemChange } from '../../../protocol/system-change.ts';

export interface SystemFile {
  path: string;
  text: string;
  /** what the path holds now; null: there is no such file */
  before: string | null;
}

/** @param folder in Espalier's home, for this change alone */
export function systemFile(
  { path, text, before }: SystemFile,
  folder: string,
  group: 'wheel' | 'root',
): { files: SystemChange['files']; write: Argv; restore: Argv } {
  const staged = join(folder, basename(path));
  const kept = `${staged}.before`;
  const copy = (from: string): Argv => [
    '/usr/bin/install',
    '-m',
    '644',
    '-o',
    'root',
    '-g',
    group,
    from,
    path,
  ];
  return {
    files: [{ path: staged, text }, ...(before === null ? [] : [{ path: kept, text: before }])],
    write: copy(staged),
    restore: before === null ? ['/bin/rm', '-f', path] : copy(kept),
  };
}
