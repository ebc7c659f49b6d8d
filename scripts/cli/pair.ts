// `espalier pair`: lets a node into the cluster, by the code that it shows. Without a name it lists who waits.
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { EspalierError } from '../../protocol/errors.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { controllerOption } from './options.ts';

interface Options {
  controller: string;
  code?: string;
  json?: boolean;
}

export function pairCommand(exit: (code: number) => void): Command {
  return new Command('pair')
    .summary('let a node into the cluster')
    .description(
      'Pairs the controller with an agent that waits, by the eight digits that the agent shows on its terminal, in its ' +
        'log, and with `espalier agent --show-code`. Without a name it lists the nodes.',
    )
    .argument('[node]', "the node's name, or its id")
    .addOption(controllerOption())
    .option('--code <->', 'read the code from standard input instead of asking for it')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  espalier pair
  espalier pair studio-2
  ssh studio-2 espalier agent --show-code | espalier pair studio-2 --code -
${EXIT_CODES}`,
    )
    .action(async (node: string | undefined, options: Options) => {
      const [{ parseControllerUrl }, pairing, { pairingReport }] = await Promise.all([
        import('../../dashboard/client.ts'),
        import('./pairing/ask-pairing.ts'),
        import('./pairing/pairing-report.ts'),
      ]);
      const url = parseControllerUrl(options.controller);
      if (node === undefined) {
        const report = await pairing.fetchPairing(url);
        console.log(options.json ? JSON.stringify(report, null, 2) : pairingReport(report));
        return exit(EXIT.ok);
      }
      // before the code is asked for: the controller says who waits instead, if not this one
      const waiting = await pairing.findWaiting(url, node);
      const code = waiting === undefined ? '00000000' : await readCode(waiting.name, options.code);
      const answer = await pairing.pairNode(url, waiting?.id ?? node, code);
      console.log(options.json ? JSON.stringify(answer, null, 2) : `${answer.node.name} is paired.`);
      return exit(EXIT.ok);
    });
}

/** @throws EspalierError bad_option */
async function readCode(name: string, from: string | undefined): Promise<string> {
  if (from === '-') {
    const { readFirstLine } = await import('./first-line.ts');
    return readFirstLine('the code');
  }
  if (from !== undefined) {
    throw new EspalierError('bad_option', '--code takes "-": the code comes on standard input');
  }
  if (!process.stdin.isTTY) {
    throw new EspalierError('bad_option', 'there is no terminal to ask for the code: give it with --code -');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await terminal.question(`The code that ${name} shows: `);
  } catch {
    throw new EspalierError('bad_option', 'no code was typed');
  } finally {
    terminal.close();
  }
}
