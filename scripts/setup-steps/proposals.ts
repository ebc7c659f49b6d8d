// What should be changed on this machine, read from it. Only a Mac has such settings; what is proposed, agent/checks decides.
import { readFile } from 'node:fs/promises';
import { type DaemonNow, daemonPath } from '../../agent/checks/changes/launch-daemon.ts';
import {
  readMacSettings,
  SETTINGS_COMMANDS,
  type SettingsAnswers,
} from '../../agent/checks/changes/mac-settings.ts';
import { CHANGE_LABELS, proposedChanges } from '../../agent/checks/changes/proposals.ts';
import type { MachineFacts } from '../../protocol/facts.ts';
import type { SystemChange } from '../../protocol/system-change.ts';
import type { RunArgv } from '../system-changes/run-argv.ts';

export interface ProposalSources {
  facts(): Promise<MachineFacts>;
  run: RunArgv;
  /** the text of a file of the system; null where there is none */
  textOf(path: string): Promise<string | null>;
  home: string;
  /** the Node that runs the agent */
  nodePath: string;
}

/** Asks the Mac, and tells what it answered: nothing is changed. */
export async function readProposals({
  facts,
  run,
  textOf,
  home,
  nodePath,
}: ProposalSources): Promise<SystemChange[]> {
  const answers: Partial<SettingsAnswers> = {};
  for (const [name, argv] of Object.entries(SETTINGS_COMMANDS)) {
    const { exitCode, output } = await run(argv);
    answers[name as keyof SettingsAnswers] = exitCode === 0 ? output : '';
  }
  const daemons = {} as Record<(typeof CHANGE_LABELS)[number], DaemonNow>;
  for (const label of CHANGE_LABELS) {
    const printed = await run(['/bin/launchctl', 'print', `system/${label}`]);
    daemons[label] = { file: await textOf(daemonPath(label)), isLoaded: printed.exitCode === 0 };
  }
  const settings = readMacSettings(answers as SettingsAnswers);
  return proposedChanges({ facts: await facts(), settings, daemons, home, nodePath });
}

/** @throws the system's own error when it is there and cannot be read */
export async function systemFileText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
