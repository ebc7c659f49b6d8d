// `espalier incidents`: what went wrong in a cluster, what was done about it, and how long the streams paused.
import { Command } from 'commander';
import { INCIDENTS_PATH, IncidentsReport } from '../../protocol/incidents.ts';
import { MAX_INCIDENTS } from '../../protocol/limits.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { controllerOption, parseIncidentCount } from './options.ts';

const ANSWER_TIMEOUT_MS = 10_000;
const DEFAULT_COUNT = 10;

interface Options {
  controller: string;
  json?: boolean;
  last: number;
}

export function incidentsCommand(exit: (code: number) => void): Command {
  return new Command('incidents')
    .summary('show what went wrong, and what was done about it')
    .description(
      'Shows what went wrong in the cluster: when, on which node, what was seen, what was done, how long the streams ' +
        `paused, and what to mend. The controller keeps the last ${MAX_INCIDENTS}, over its own restarts.`,
    )
    .addOption(controllerOption())
    .option('-l, --last <count>', 'how many of the newest', parseIncidentCount, DEFAULT_COUNT)
    .option('--json', 'print one JSON object with everything')
    .addHelpText(
      'after',
      `
Examples:
  espalier incidents
  espalier incidents --last 50
  espalier incidents --json | jq '.incidents[] | {node, seen, load: .pause.loadMs}'
${EXIT_CODES}`,
    )
    .action(async (options: Options) => {
      const [{ parseControllerUrl }, { askController }, { incidentsReport }] = await Promise.all([
        import('../../dashboard/client.ts'),
        import('./ask-controller.ts'),
        import('./incidents/incidents-report.ts'),
      ]);
      const { data } = await askController(parseControllerUrl(options.controller), {
        path: INCIDENTS_PATH,
        schema: IncidentsReport,
        what: 'incidents',
        timeoutMs: ANSWER_TIMEOUT_MS,
      });
      const report = { incidents: data.incidents.slice(-options.last) };
      console.log(options.json ? JSON.stringify(report, null, 2) : incidentsReport(report));
      exit(EXIT.ok);
    });
}
