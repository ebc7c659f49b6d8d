// A change of this machine's system: shown as its exact commands before it is made, recorded when it is, and taken back by
// what was recorded. It must not know which changes there are, nor how commands are run.
import { join } from 'node:path';
import { z } from 'zod';

/** One JSON line each, oldest first, in ESPALIER_HOME: what is in force and can be taken back. */
export const SYSTEM_CHANGES_FILE = 'system-changes.jsonl';

/** One command as its words, the program first: no shell reads it. */
export const Argv = z.array(z.string().max(4_000)).min(1).max(64);
export type Argv = z.infer<typeof Argv>;

const Commands = z.array(Argv).max(64).readonly();
/** Units and property lists are a few KiB. */
const StagedFile = z.object({ path: z.string().max(4_000), text: z.string().max(64 * 1024) });

/** A change that is proposed. */
export const SystemChange = z.object({
  /** the same as long as it is the same thing that is changed; it names a folder, too */
  id: z.string().regex(/^[\w-][\w.-]{0,199}$/),
  /** what the commands do, in a sentence */
  description: z.string().max(1_000),
  /** why it should be made */
  why: z.string().max(1_000),
  needsRoot: z.boolean(),
  /** files in Espalier's own home that the commands read: written before the first of them */
  files: z.array(StagedFile).max(8).readonly(),
  apply: Commands,
  /** brings back what was there before */
  undo: Commands,
});
export type SystemChange = z.infer<typeof SystemChange>;

/** A change that was made. */
export const RecordedChange = SystemChange.omit({ why: true, files: true }).extend({
  time: z.iso.datetime(),
});
export type RecordedChange = z.infer<typeof RecordedChange>;

/** The folder in Espalier's home for the files of one change. @param home ESPALIER_HOME */
export function changeFolder(home: string, id: string): string {
  return join(home, 'system-changes', id);
}

/** A command as a person types it: words with anything but plain characters stand in single quotes. */
export function formatArgv(argv: readonly string[]): string {
  return argv
    .map((word) => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}
