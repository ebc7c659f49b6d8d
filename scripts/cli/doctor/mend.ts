// `espalier doctor --fix`: shows what it would do, asks, does it, and writes down how to undo it. Only findings of this machine
// that this process itself made come here: nothing that another one sent is ever run.
import type { Finding, Fix } from '../../../protocol/doctor.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import { isWanted } from '../../system-changes/ask-change.ts';
import { applyChange, type ChangeTools } from '../../system-changes/change-system.ts';
import { ChangeJournal } from '../../system-changes/journal.ts';
import { runArgv } from '../../system-changes/run-argv.ts';
import { commandLine } from './doctor-report.ts';

export interface MendOptions {
  /** ESPALIER_HOME */
  home: string;
  /** whether a person is asked before anything is done */
  isAsked: boolean;
}

/**
 * @returns whether all that was wanted is done
 * @throws EspalierError bad_option when nobody can be asked, home_not_writable, home_damaged
 */
export async function mend(findings: readonly Finding[], options: MendOptions): Promise<boolean> {
  const mendable = findings.flatMap((one) => (one.fix?.safe ? [{ ...one, fix: one.fix }] : []));
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
  const canAsk = process.stdin.isTTY === true;
  const tools = { journal: new ChangeJournal(options.home), run: runArgv, canAsk };
  for (const { id, why, fix } of mendable) areAllDone = (await apply(id, why, fix, tools)) && areAllDone;
  return areAllDone;
}

async function apply(id: string, why: string, fix: Fix, tools: ChangeTools): Promise<boolean> {
  const { description, needsRoot, apply, undo } = fix;
  try {
    await applyChange({ id, description, why, needsRoot, files: [], apply, undo }, tools);
  } catch (error) {
    if (!(error instanceof EspalierError) || error.code !== 'system_change_failed') throw error;
    console.error(`✗ ${error.message}`);
    return false;
  }
  console.log(`✓ ${description}`);
  return true;
}
