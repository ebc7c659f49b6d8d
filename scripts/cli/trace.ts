// `espalier trace`: the last steps of all stages as a file for a trace viewer, and in a few lines why it is slow.
import { Command } from 'commander';
import { MAX_TRACE_STEPS } from '../../protocol/limits.ts';
import { DEFAULT_TRACE_STEPS } from '../../protocol/trace.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { controllerOption, parseStepCount } from './options.ts';

const DEFAULT_FILE = 'espalier-trace.json';

interface Options {
  controller: string;
  steps: number;
  output: string;
  json?: boolean;
}

export function traceCommand(exit: (code: number) => void): Command {
  return new Command('trace')
    .summary('show where the time of the last steps went')
    .description(
      'Shows where the time of the last steps went, on each stage and between them, and writes the steps to a file for ' +
        'a trace viewer: https://ui.perfetto.dev or chrome://tracing. Stages keep the times of their last ' +
        `${MAX_TRACE_STEPS} steps, so ask first and trace then. Ranks of MLX Distributed keep none: of these it shows what the ` +
        'last step that each one timed was made of, and writes no file.',
    )
    .addOption(controllerOption())
    .option('-s, --steps <count>', 'how many of the last steps', parseStepCount, DEFAULT_TRACE_STEPS)
    .option('-o, --output <file>', 'where to write, over what is there; - is standard output', DEFAULT_FILE)
    .option('--json', 'print what is told of the steps as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  espalier trace
  espalier trace --steps 50 --output slow.json
  espalier trace --output - 2> /dev/null | jq .metadata.summary.verdict
${EXIT_CODES}`,
    )
    .action(async (options: Options) => {
      const [{ parseControllerUrl }, { fetchTrace }, { writeTrace }, { traceReport }] = await Promise.all([
        import('../../dashboard/client.ts'),
        import('./trace/fetch-trace.ts'),
        import('./trace/write-trace.ts'),
        import('./trace/trace-report.ts'),
      ]);
      const { text, metadata } = await fetchTrace(parseControllerUrl(options.controller), options.steps);
      const report = traceReport(metadata);
      if (metadata.ranks) {
        // nothing to draw, and so nothing to write
        console.log(options.json ? JSON.stringify(metadata, null, 2) : report);
        return exit(EXIT.ok);
      }
      if (metadata.summary.steps === 0) {
        console.error(`espalier: ${report}`);
        return exit(EXIT.error);
      }
      if (options.output === '-') {
        process.stdout.write(`${text}\n`);
        console.error(report);
        return exit(EXIT.ok);
      }
      await writeTrace(options.output, text);
      const told = `${report}\n\nWritten to ${options.output}: open it in https://ui.perfetto.dev`;
      console.log(options.json ? JSON.stringify(metadata, null, 2) : told);
      return exit(EXIT.ok);
    });
}
