// `espalier setup --undo`: takes back what was changed of this machine's system, the last change first, each shown and asked
// for. Nothing that is not recorded is touched.
import { EspalierError } from '../../protocol/errors.ts';
import { ServiceName } from '../service/service-spec.ts';
import { type ServiceTools, uninstallService } from '../service/services.ts';
import { askChange } from '../system-changes/ask-change.ts';
import { undoChange, undoCommandsOf } from '../system-changes/change-system.ts';

/**
 * @param yes take back everything without asking
 * @throws EspalierError system_change_failed at the end, when something could not be taken back; bad_option where nobody can be asked
 */
export async function undoChanges(tools: ServiceTools, yes: boolean): Promise<void> {
  const records = tools.journal.read().reverse();
  if (records.length === 0)
    return console.log('Espalier has changed nothing of this system that could be undone.');
  const failures: string[] = [];
  for (const record of records) {
    const commands = undoCommandsOf(record, tools.canAsk);
    const description = `Undo: ${record.description || record.id} (${record.time.slice(0, 10)})`;
    if (!(await askChange({ description, commands, yes }))) {
      console.log('It stays.\n');
      continue;
    }
    try {
      const service = ServiceName.options.find((name) => record.id === `service-${name}`);
      if (service) await uninstallService(service, tools);
      else await undoChange(record, tools);
      console.log('Done.\n');
    } catch (error) {
      if (!(error instanceof EspalierError)) throw error;
      failures.push(error.message);
      console.log(`${error.message}\n`);
    }
  }
  if (failures.length > 0) {
    throw new EspalierError(
      'system_change_failed',
      `${failures.length} of ${records.length} changes could not be undone; they stay recorded in ${tools.journal.path}, and are forgotten by taking out their lines`,
    );
  }
}
