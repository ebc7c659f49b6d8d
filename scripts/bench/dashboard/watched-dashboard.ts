// A dashboard on a terminal of its own whose cost is watched: processor time, memory, and what it writes. Linux: the
// terminal is `script`'s of util-linux, the figures are those of /proc.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BenchError } from '../bench-error.ts';

const CLI = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const START_TIMEOUT_MS = 30_000;
/** What `sysconf(_SC_CLK_TCK)` is on every Linux. */
const TICKS_A_SECOND = 100;
const ALTERNATE_SCREEN = '\u001b[?1049h';
/** Erasing the whole display, with or without what was scrolled away, and a reset of the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
const CLEARS = /\u001b\[[23]?J|\u001bc/g;

export interface DashboardCost {
  /** of one core */
  cpuShare: number;
  /** the most that was resident */
  peakBytes: number;
  writtenBytesPerSecond: number;
  clears: number;
}

export interface WatchedDashboard extends Disposable {
  /** What it costs from now on, for so long. */
  measure(durationMs: number): Promise<DashboardCost>;
}

/** @throws BenchError where there is no such terminal, or the dashboard does not come up */
export async function startDashboard(
  controllerUrl: string,
  size: { columns: number; rows: number },
): Promise<WatchedDashboard> {
  if (process.platform !== 'linux')
    throw new BenchError('what a dashboard costs is measured on Linux alone', 'Run the other suites.');
  const command = `stty cols ${size.columns} rows ${size.rows}; exec '${process.execPath}' '${CLI}' dashboard -c ${controllerUrl}`;
  const child = spawn('script', ['-qfec', command, '/dev/null'], {
    // what the shell of a user would have
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TERM: 'xterm-256color', LANG: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let written = '';
  let bytes = 0;
  child.stdout.on('data', (data: Buffer) => {
    bytes += data.length;
    written += data.toString('latin1');
  });
  child.on('error', () => undefined);
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!written.includes(ALTERNATE_SCREEN)) {
    if (performance.now() > deadline || child.exitCode !== null || child.pid === undefined) {
      child.kill('SIGKILL');
      throw new BenchError('the dashboard did not come up', 'Install `script` (of util-linux or bsdutils).');
    }
    await delay(50);
  }
  const pid = dashboardBelow(child.pid as number);
  return {
    async measure(durationMs) {
      const begin = { at: performance.now(), cpu: cpuSeconds(pid), bytes };
      written = '';
      await delay(durationMs);
      const seconds = (performance.now() - begin.at) / 1_000;
      return {
        cpuShare: (cpuSeconds(pid) - begin.cpu) / seconds,
        peakBytes: peakBytes(pid),
        writtenBytesPerSecond: (bytes - begin.bytes) / seconds,
        clears: written.match(CLEARS)?.length ?? 0,
      };
    },
    [Symbol.dispose]: () => void child.kill('SIGTERM'),
  };
}

/** `script` starts a shell, which the dashboard takes the place of. */
function dashboardBelow(parent: number): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (statFields(Number(entry))[1] === String(parent)) return Number(entry);
    } catch {
      // it ended while we looked
    }
  }
  throw new BenchError('the dashboard ended at once', 'Run `espalier dashboard` to see why.');
}

/** Of /proc/PID/stat, from the state on: what stands before it may hold spaces. */
function statFields(pid: number): string[] {
  return readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
}

function cpuSeconds(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

function peakBytes(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kib ?? 0) * 1_024;
}
