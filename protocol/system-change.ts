// A change of this machine's system: shown as its exact commands before it is made, recorded when it is, and taken back by
// what was recorded. It must not know which changes there are, nor how commands are run.
import { z } from 'zod';

/** One JSON line each, oldest first, in ESPALIER_HOME: what is in force and can be taken back. */
export const SYSTEM_CHANGES_FILE = 'system-changes.jsonl';

/** One command as its words, the program first: no shell reads it. */
export const Argv = z.array(z.string().max(4_000)).min(1).max(64);
export type Argv = z.infer<typeof Argv>;

/** A change that is proposed. */
export interface SystemChange {
  /** the same as long as it is the same thing that is changed */
  id: string;
  /** what the commands do, in a sentence */
  description: string;
  /** why it should be made */
  why: string;
  needsRoot: boolean;
  /** files in Espalier's own home that the commands read: written before the first of them */
  files: readonly { path: string; text: string }[];
  apply: readonly Argv[];
  /** brings back what was there before */
  undo: readonly Argv[];
}

/** A change that was made. */
export const RecordedChange = z.object({
  time: z.iso.datetime(),
  id: z.string().min(1).max(200),
  description: z.string().max(1_000),
  needsRoot: z.boolean(),
  apply: z.array(Argv).max(64),
  undo: z.array(Argv).max(64),
});
export type RecordedChange = z.infer<typeof RecordedChange>;

/** A command as a person types it: words with anything but plain characters stand in single quotes. */
export function formatArgv(argv: readonly string[]): string {
  return argv
    .map((word) => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}
