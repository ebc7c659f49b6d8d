// `espalier doctor --fix`: shows what it would change, asks, makes it and has it recorded, as the wizard does. Only findings of
// this machine that this process itself made come here: nothing that another one sent is ever run.
import type { Finding, Fix } from '../../../protocol/doctor.ts';
import { EspalierError } from '../../../protocol/errors.ts';
import { isWanted } from '../../system-changes/ask-change.ts';
import {
  applyChange,
  type ChangeTools,
  commandsOf,
  undoCommandsOf,
} from '../../system-changes/change-system.ts';

/**
 * @param isAsked whether a person is asked before anything is done
 * @returns whether all that was wanted is done
 * @throws EspalierError bad_option when nobody can be asked, home_not_writable, home_damaged
 */
export async function mend(
  findings: readonly Finding[],
  tools: ChangeTools,
  isAsked: boolean,
): Promise<boolean> {
  const changes = safeFixes(findings);
  if (changes.length === 0) {
    console.log('\nThere is nothing that --fix would do here.');
    return true;
  }
  console.log('\n--fix would do this:');
  for (const change of changes) {
    console.log(`  ${change.description}`);
    for (const command of commandsOf(change, tools.canAsk)) console.log(`    ${command}`);
    for (const command of undoCommandsOf(change, tools.canAsk)) console.log(`    undone by: ${command}`);
  }
  if (isAsked && !(await isWanted())) {
    console.log('Nothing was changed.');
    return true;
  }
  let areAllDone = true;
  for (const change of changes) areAllDone = (await make(change, tools)) && areAllDone;
  return areAllDone;
}

/** Each once: one change may mend several findings. */
function safeFixes(findings: readonly Finding[]): Fix[] {
  const safe = findings.flatMap(({ fixes }) => fixes).filter((fix) => fix.safe);
  return [...new Map(safe.map((fix) => [fix.id, fix])).values()];
}

async function make(change: Fix, tools: ChangeTools): Promise<boolean> {
  try {
    await applyChange(change, tools);
  } catch (error) {
    if (!(error instanceof EspalierError) || error.code !== 'system_change_failed') throw error;
    console.error(`✗ ${error.message}`);
    return false;
  }
  console.log(`✓ ${change.description}`);
  return true;
}
