// `espalier links`: how fast the nodes reach one another, by which interfaces, and what there is to mend.
import { Command } from 'commander';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { controllerOption } from './options.ts';

interface Options {
  controller: string;
  json?: boolean;
  measure?: boolean;
}

export function linksCommand(exit: (code: number) => void): Command {
  return new Command('links')
    .summary('show how fast the nodes reach one another')
    .description(
      'Shows the measured paths between each two nodes, and what there is to mend. The links are measured when a node ' +
        'comes, when its network changes, and every half hour, but never while a request runs.',
    )
    .addOption(controllerOption())
    .option('--measure', 'measure all of them again first')
    .option('--json', 'print one JSON object with everything')
    .addHelpText(
      'after',
      `
Examples:
  espalier links
  espalier links --measure
  espalier links --json | jq '.pairs[] | {a: .a.name, b: .b.name, gbps: .paths[0].there.gbps}'
${EXIT_CODES}`,
    )
    .action(async (options: Options) => {
      const [{ parseControllerUrl }, { fetchLinks, measureLinks }, { linksReport }] = await Promise.all([
        import('../../dashboard/client.ts'),
        import('./links/fetch-links.ts'),
        import('./links/links-report.ts'),
      ]);
      const url = parseControllerUrl(options.controller);
      const report = options.measure ? await measureLinks(url) : await fetchLinks(url);
      console.log(options.json ? JSON.stringify(report, null, 2) : linksReport(report));
      exit(EXIT.ok);
    });
}
