// `espalier status`: one snapshot of a cluster, as a table for people or as JSON for scripts.
import { Command } from 'commander';
import { STATUS_EXIT_CODES } from './exit-codes.ts';
import { controllerOption } from './options.ts';

interface Options {
  controller: string;
  json?: boolean;
}

export function statusCommand(exit: (code: number) => void): Command {
  return new Command('status')
    .summary('show what a cluster does right now')
    .description('Shows the state of a cluster, the measures of each stage, and the last events.')
    .addOption(controllerOption())
    .option('--json', 'print one JSON object with everything')
    .addHelpText(
      'after',
      `
Examples:
  espalier status
  espalier status --json | jq '.stages[] | {node, range, pid, residentBytes, weightBytes, tokensPerSecond, stepTimeMs}'
  espalier status > /dev/null && echo serving
${STATUS_EXIT_CODES}`,
    )
    .action(async (options: Options) => {
      const [{ fetchStatus, parseControllerUrl }, { exitCodeOf }, { statusReport }] = await Promise.all([
        import('../../dashboard/client.ts'),
        import('../../dashboard/main.ts'),
        import('./status-report.ts'),
      ]);
      const url = parseControllerUrl(options.controller);
      const status = await fetchStatus(url);
      console.log(options.json ? JSON.stringify(status, null, 2) : statusReport(status, url));
      exit(exitCodeOf(status));
    });
}
