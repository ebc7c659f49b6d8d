// Asks a Mac what its settings are before anything is proposed: nothing is changed. It must not know what is proposed.
import { readFile } from 'node:fs/promises';
import { MAC_SEARCH_PATH } from '../../facts/mac/commands.ts';
import { runCommand } from '../../facts/run-command.ts';
import { type DaemonNow, daemonPath } from './launch-daemon.ts';
import { readMacSettings, SETTINGS_COMMANDS, type SettingsAnswers } from './mac-settings.ts';
import { CHANGE_LABELS, type MacNow } from './proposals.ts';

const TIMEOUT_MS = 5_000;

export interface MacSources {
  /** @returns what a command printed; an empty text where it failed */
  ask(argv: readonly string[]): Promise<string>;
  /** the text of a file of the system; null where there is none */
  textOf(path: string): Promise<string | null>;
}

/** @throws the system's own error when a daemon's file is there and cannot be read */
export async function readMac({ ask, textOf }: MacSources = SYSTEM): Promise<MacNow> {
  const names = Object.keys(SETTINGS_COMMANDS) as (keyof SettingsAnswers)[];
  const answer = async (name: (typeof names)[number]) => [name, await ask(SETTINGS_COMMANDS[name])] as const;
  const daemon = async (label: (typeof CHANGE_LABELS)[number]): Promise<[typeof label, DaemonNow]> => {
    const printed = await ask(['/bin/launchctl', 'print', `system/${label}`]);
    return [label, { file: await textOf(daemonPath(label)), isLoaded: printed !== '' }];
  };
  const [answers, daemons] = await Promise.all([
    Promise.all(names.map(answer)),
    Promise.all(CHANGE_LABELS.map(daemon)),
  ]);
  return {
    settings: readMacSettings(Object.fromEntries(answers) as SettingsAnswers),
    daemons: Object.fromEntries(daemons) as MacNow['daemons'],
  };
}

/** This Mac itself. */
export const SYSTEM: MacSources = {
  async ask([file = '', ...args]) {
    const { text, problem } = await runCommand({ file, args, timeoutMs: TIMEOUT_MS }, MAC_SEARCH_PATH);
    return problem === undefined ? text : '';
  },
  async textOf(path) {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  },
};
