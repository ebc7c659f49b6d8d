// `espalier dashboard`: chooses the form that the output can show and hands over to dashboard/.
import { Command, Option } from 'commander';
import type { DashboardOptions } from '../../dashboard/main.ts';
import { STATUS_EXIT_CODES } from './exit-codes.ts';
import { controllerOption, parseIntervalMs } from './options.ts';
import { endingSignal } from './signals.ts';

interface Options {
  controller: string;
  once?: boolean;
  json?: boolean;
  interval?: number;
  ascii?: boolean;
  graph?: 'braille' | 'block';
  theme?: 'dark' | 'light';
}

export function dashboardCommand(exit: (code: number) => void): Command {
  return new Command('dashboard')
    .summary('watch a cluster live')
    .description(
      'Shows what each node does. On a terminal it redraws a screen (`q` quits, `?` explains it, `t` asks the ' +
        'cluster, `d` drains a node, `c` cancels a request; NO_COLOR is obeyed); in a pipe it ' +
        'prints a line per interval. When the controller goes away it keeps the last picture, says so, and ' +
        'reconnects.',
    )
    .addOption(controllerOption())
    .option('--once', 'print one line and end')
    .option('--json', 'print a JSON object (as in `espalier status --json`) per interval, one a line')
    .option(
      '--interval <seconds>',
      'between two pictures, lines or objects (default: 0.25 on a screen, else 2)',
      parseIntervalMs,
    )
    .option('--ascii', 'draw with ASCII alone (default: where LANG and its like say no UTF-8)')
    .addOption(
      new Option(
        '--graph <kind>',
        'what histories are drawn with (default: braille where there is any)',
      ).choices(['braille', 'block']),
    )
    .addOption(
      new Option(
        '--theme <theme>',
        'for a dark or a light background (default: what COLORFGBG says, or dark)',
      ).choices(['dark', 'light']),
    )
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
      const { runDashboard } = await import('../../dashboard/main.ts');
      const ending = endingSignal();
      exit(
        await runDashboard({
          controllerUrl: options.controller,
          mode: chooseMode(options.json ?? false),
          once: options.once ?? false,
          intervalMs: options.interval,
          look: { ascii: options.ascii, graph: options.graph, theme: options.theme },
          signal: ending,
        }),
      );
    });
}

function chooseMode(json: boolean): DashboardOptions['mode'] {
  if (json) return 'json';
  return process.stdout.isTTY && process.env.TERM !== 'dumb' ? 'screen' : 'lines';
}
