// systemd's journal of a service. It must not know what stands in it.
import { asRoot, runArgv } from '../system-changes/run-argv.ts';

const SHOW = ['/usr/bin/journalctl', '--no-pager', '-q', '-o', 'cat'] as const;

/**
 * The command that prints it. What is kept in memory only, and what runs as another user, may be root's to read.
 * @param args which lines, as journalctl takes them
 * @param canAsk whether sudo may ask for a password
 */
export async function journalCommand(args: readonly string[], canAsk: boolean): Promise<string[]> {
  // no lines: whether any may be read
  const { exitCode } = await runArgv([...SHOW, '-n', '0']);
  return asRoot([...SHOW, ...args], exitCode !== 0, canAsk);
}
