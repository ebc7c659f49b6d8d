// The dashboard's entry: a client of the controller's public status stream, in the form that its output can show.
import type { ClusterStatus } from '../protocol/status.ts';
import { parseControllerUrl } from './client.ts';
import { printOnce, runLines } from './lines.ts';
import { runScreen } from './screen.ts';

export interface DashboardOptions {
  controllerUrl: string;
  /** screen: a terminal that Ink redraws · lines: plain text · json: one object a line */
  mode: 'screen' | 'lines' | 'json';
  /** print one snapshot and end; a screen becomes one line */
  once?: boolean;
  /** between two lines or objects; the screen follows the stream itself */
  intervalMs?: number;
  /** ends the dashboard */
  signal?: AbortSignal;
}

export const DEFAULT_INTERVAL_MS = 2_000;

/**
 * Watches a cluster until the user or the signal ends it.
 * @returns the exit code: 0, or with `once` 3 when the cluster does not serve
 * @throws EspalierError bad_option for a controller URL that is none; with `once` also controller_unreachable
 */
export async function runDashboard(options: DashboardOptions): Promise<number> {
  const controllerUrl = parseControllerUrl(options.controllerUrl);
  const { mode, signal, once = false, intervalMs = DEFAULT_INTERVAL_MS } = options;
  if (mode === 'screen' && !once) {
    await runScreen({ controllerUrl, signal });
    return 0;
  }
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const complain = (line: string) => process.stderr.write(`${line}\n`);
  const json = mode === 'json';
  if (once) return exitCodeOf(await printOnce({ controllerUrl, json, signal, print }));
  await runLines({ controllerUrl, json, intervalMs, signal, print, complain });
  return 0;
}

/** What a script wants to know of a snapshot: 0 serving, 3 not serving. */
export function exitCodeOf(status: ClusterStatus): number {
  return status.state === 'serving' ? 0 : 3;
}
