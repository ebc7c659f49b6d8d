// `espalier unpair`: sends a node away. Its connections end at once, and its layers go to others.
import { Command } from 'commander';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { controllerOption } from './options.ts';

interface Options {
  controller: string;
  json?: boolean;
}

export function unpairCommand(exit: (code: number) => void): Command {
  return new Command('unpair')
    .summary('send a node away')
    .description(
      'Forgets the key of a node, ends its connections at once and plans without it. The node forgets the controller, too: ' +
        'now, or when it is back.',
    )
    .argument('<node>', "the node's name, or its id")
    .addOption(controllerOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  espalier unpair studio-2
${EXIT_CODES}`,
    )
    .action(async (node: string, options: Options) => {
      const [{ parseControllerUrl }, { unpairNode }] = await Promise.all([
        import('../../dashboard/client.ts'),
        import('./pairing/ask-pairing.ts'),
      ]);
      const answer = await unpairNode(parseControllerUrl(options.controller), node);
      console.log(options.json ? JSON.stringify(answer, null, 2) : `${answer.node.name} is unpaired.`);
      exit(EXIT.ok);
    });
}
