// `espalier dashboard`: chooses the form that the output can show and hands over to dashboard/.
import { Command } from 'commander';
import type { DashboardOptions } from '../../dashboard/main.ts';
import { STATUS_EXIT_CODES } from './exit-codes.ts';
import { controllerOption, parseIntervalMs } from './options.ts';
import { endingSignal } from './signals.ts';

interface Options {
  controller: string;
  once?: boolean;
  json?: boolean;
  interval?: number;
}

export function dashboardCommand(exit: (code: number) => void): Command {
  return new Command('dashboard')
    .summary('watch a cluster live')
    .description(
      'Shows what each node does. On a terminal it redraws a screen (`q` quits, `?` explains it); in a pipe it ' +
        'prints a line per interval. When the controller goes away it keeps the last picture, says so, and ' +
        'reconnects.',
    )
    .addOption(controllerOption())
    .option('--once', 'print one line and end')
    .option('--json', 'print a JSON object (as in `espalier status --json`) per interval, one a line')
    .option('--interval <seconds>', 'between two lines or objects (default: 2)', parseIntervalMs)
    .addHelpText(
      'after',
      `
Examples:
  espalier dashboard
  espalier dashboard --controller http://studio-1.local:7117
  espalier dashboard --json --interval 10 >> cluster.jsonl
  espalier dashboard --once
${STATUS_EXIT_CODES}
Without --once it ends with 0 when you end it.`,
    )
    .action(async (options: Options) => {
      const { DEFAULT_INTERVAL_MS, runDashboard } = await import('../../dashboard/main.ts');
      const ending = endingSignal();
      exit(
        await runDashboard({
          controllerUrl: options.controller,
          mode: chooseMode(options.json ?? false),
          once: options.once ?? false,
          intervalMs: options.interval ?? DEFAULT_INTERVAL_MS,
          signal: ending,
        }),
      );
    });
}

function chooseMode(json: boolean): DashboardOptions['mode'] {
  if (json) return 'json';
  return process.stdout.isTTY && process.env.TERM !== 'dumb' ? 'screen' : 'lines';
}
