// `espalier doctor --fix`: shows what it would do, asks, does it, and writes down how to undo it. Only findings of this machine
// that this process itself made come here: nothing that another one sent is ever run.
import { createInterface } from 'node:readline/promises';
import { execa } from 'execa';
import type { Finding, Fix } from '../../../protocol/doctor.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import { commandLine } from './doctor-report.ts';
import { recordChange } from './journal.ts';

/** `networksetup` takes a second or two; a person types a password meanwhile. */
const COMMAND_TIMEOUT_MS = 120_000;

export interface MendOptions {
  /** ESPALIER_HOME */
  home: string;
  /** whether a person is asked before anything is done */
  isAsked: boolean;
  /** as root; by default whether this process is */
  isRoot?: boolean;
}

/**
 * @returns whether all that was wanted is done
 * @throws EspalierError bad_option when nobody can be asked, home_not_writable
 */
export async function mend(findings: readonly Finding[], options: MendOptions): Promise<boolean> {
  const mendable = findings.flatMap((one) => (one.fix?.safe ? [{ id: one.id, fix: one.fix }] : []));
  if (mendable.length === 0) {
    console.log('\nThere is nothing that --fix would do here.');
    return true;
  }
  console.log('\n--fix would do this:');
  for (const { fix } of mendable) {
    console.log(`  ${fix.description}`);
    for (const argv of fix.apply) console.log(`    ${commandLine(argv, fix)}`);
    for (const argv of fix.undo) console.log(`    undone by: ${commandLine(argv, fix)}`);
  }
  if (options.isAsked && !(await isWanted())) {
    console.log('Nothing was changed.');
    return true;
  }
  let areAllDone = true;
  for (const { id, fix } of mendable) areAllDone = (await apply(id, fix, options)) && areAllDone;
  return areAllDone;
}

async function isWanted(): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new EspalierError(
      'bad_option',
      '--fix: nobody can be asked here whether this is wanted; add --yes',
    );
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question('Do it? [y/N] ')).trim());
  } catch {
    return false; // Ctrl-D
  } finally {
    terminal.close();
  }
}

async function apply(
  id: string,
  fix: Fix,
  { home, isRoot = process.getuid?.() === 0 }: MendOptions,
): Promise<boolean> {
  const asRun = (argv: readonly string[]) => (fix.needsRoot && !isRoot ? ['sudo', ...argv] : argv);
  for (const [index, argv] of fix.apply.entries()) {
    const [file = '', ...args] = asRun(argv);
    const result = await execa(file, args, { stdio: 'inherit', reject: false, timeout: COMMAND_TIMEOUT_MS });
    if (result.failed) {
      console.error(`✗ ${commandLine(argv, fix)}: ${result.shortMessage}`);
      return false;
    }
    // from its first command on there is something to undo
    if (index > 0) continue;
    // as they were run, so that nobody has to know later whether they need root
    const [apply, undo] = [fix.apply.map(asRun), fix.undo.map(asRun)];
    recordChange(home, { time: new Date().toISOString(), finding: id, apply, undo });
  }
  console.log(`✓ ${fix.description}`);
  return true;
}
