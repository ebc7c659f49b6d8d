// Makes changes of the system and takes them back: recorded before the first command, so that what was begun can be undone
// whatever happens. It shows and asks nothing; its callers do.
import { EspalierError } from '../../protocol/errors.ts';
import { writeOwnFile } from '../../protocol/home-files.ts';
import { formatArgv, type RecordedChange, type SystemChange } from '../../protocol/system-change.ts';
import type { ChangeJournal } from './journal.ts';
import { asRoot, type RunArgv, runPatiently } from './run-argv.ts';

export interface ChangeTools {
  journal: ChangeJournal;
  run: RunArgv;
  /** whether sudo may ask for a password */
  canAsk: boolean;
}

/** The commands of a change exactly as they are run. */
export function commandsOf({ apply, needsRoot }: SystemChange, canAsk: boolean): string[] {
  return apply.map((argv) => formatArgv(asRoot(argv, needsRoot, canAsk)));
}

/** The same of taking it back. */
export function undoCommandsOf(
  { undo, needsRoot }: Pick<RecordedChange, 'undo' | 'needsRoot'>,
  canAsk: boolean,
): string[] {
  return undo.map((argv) => formatArgv(asRoot(argv, needsRoot, canAsk)));
}

/**
 * Makes a change.
 * @throws EspalierError system_change_failed with what the command said; home_damaged, home_not_writable
 */
export async function applyChange(
  change: SystemChange,
  { journal, run, canAsk }: ChangeTools,
): Promise<void> {
  const inForce = journal.read().find(({ id }) => id === change.id);
  const wanted = new Set(inForce?.undo.flat());
  for (const { path, text } of change.files) {
    // what the first undo brings back stays as it was kept then
    if (!wanted.has(path)) writeOwnFile(path, text);
  }
  const record = journal.add(change);
  for (const [index, argv] of change.apply.entries()) {
    const command = asRoot(argv, change.needsRoot, canAsk);
    const { exitCode, output } = await runPatiently(command, run);
    if (exitCode === 0) continue;
    // nothing was done yet, and nothing is to be undone
    if (index === 0 && !inForce) journal.remove(record);
    const undo = index === 0 && !inForce ? '' : ' What was done before it stays recorded for --undo.';
    throw new EspalierError('system_change_failed', `${failure(command, exitCode, output)}.${undo}`);
  }
}

/**
 * Takes a change back. All its commands are tried, so that as much as possible is as it was.
 * @throws EspalierError system_change_failed; then it stays recorded
 */
export async function undoChange(
  record: RecordedChange,
  { journal, run, canAsk }: ChangeTools,
): Promise<void> {
  const failures: string[] = [];
  for (const argv of record.undo) {
    const command = asRoot(argv, record.needsRoot, canAsk);
    const { exitCode, output } = await runPatiently(command, run);
    if (exitCode !== 0) failures.push(failure(command, exitCode, output));
  }
  if (failures.length > 0) throw new EspalierError('system_change_failed', `${failures.join('; ')}.`);
  journal.remove(record);
}

function failure(command: readonly string[], exitCode: number | null, output: string): string {
  const said = output.trim().split('\n').at(-1) ?? '';
  const how = exitCode === null ? 'could not be run' : `ended with ${exitCode}`;
  return `\`${formatArgv(command)}\` ${how}${said === '' ? '' : `: ${said.slice(0, 300)}`}`;
}
