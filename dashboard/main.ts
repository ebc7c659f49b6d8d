// The dashboard's entry: a client of the controller's public status stream, in the form that its output can show.
import { MIN_STATUS_INTERVAL_MS } from '../protocol/limits.ts';
import type { ClusterStatus } from '../protocol/status.ts';
import { parseControllerUrl } from './client.ts';
import { printOnce, runLines } from './lines.ts';
import type { LookOptions } from './paint/look.ts';
import { runScreen } from './screen.ts';

export interface DashboardOptions {
  controllerUrl: string;
  /** screen: a terminal that Ink redraws · lines: plain text · json: one object a line */
  mode: 'screen' | 'lines' | 'json';
  /** print one snapshot and end; a screen becomes one line */
  once?: boolean;
  /** between two pictures, lines or objects: 0.25 s on a screen and 2 s elsewhere where left out */
  intervalMs?: number | undefined;
  /** how the screen looks; what is left out, the environment decides */
  look?: LookOptions;
  /** ends the dashboard */
  signal?: AbortSignal;
}

const LINES_INTERVAL_MS = 2_000;

/**
 * Watches a cluster until the user or the signal ends it.
 * @returns the exit code: 0, or with `once` 3 when the cluster does not serve
 * @throws EspalierError bad_option for a controller URL that is none; with `once` also controller_unreachable
 */
export async function runDashboard(options: DashboardOptions): Promise<number> {
  const controllerUrl = parseControllerUrl(options.controllerUrl);
  const { mode, signal, once = false, look = {} } = options;
  if (mode === 'screen' && !once) {
    const { intervalMs = MIN_STATUS_INTERVAL_MS } = options;
    await runScreen({ controllerUrl, intervalMs, look, signal });
    return 0;
  }
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const complain = (line: string) => process.stderr.write(`${line}\n`);
  const json = mode === 'json';
  if (once) return exitCodeOf(await printOnce({ controllerUrl, json, signal, print }));
  const { intervalMs = LINES_INTERVAL_MS } = options;
  await runLines({ controllerUrl, json, intervalMs, signal, print, complain });
  return 0;
}

/** What a script wants to know of a snapshot: 0 serving, 3 not serving. */
export function exitCodeOf(status: ClusterStatus): number {
  return status.state === 'serving' ? 0 : 3;
}
