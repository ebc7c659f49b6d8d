// `espalier chat`: a question or a conversation, as a client of the public API.
import { Command } from 'commander';
import { EspalierError } from '../../protocol/errors.ts';
import { MAX_API_BODY_BYTES } from '../../protocol/limits.ts';
import type { Asker } from './chat/answer.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { controllerOption, parseTemperature, parseTokenCount } from './options.ts';
import { endingSignal } from './signals.ts';

interface Options {
  controller: string;
  model?: string;
  maxTokens?: number;
  temperature?: number;
  showThinking?: boolean;
  json?: boolean;
}

export function chatCommand(exit: (code: number) => void): Command {
  return new Command('chat')
    .summary('ask the model')
    .description(
      'Asks a question and streams the thinking (dimmed) and the answer. Without a question it is a conversation, ' +
        'or in a pipe the question is read from standard input. In a pipe standard output holds the answer alone.',
    )
    .argument('[question]', 'what to ask')
    .addOption(controllerOption())
    .option('-m, --model <id>', 'the model to ask (default: the one that the cluster serves)')
    .option('--max-tokens <count>', 'longest answer, thinking included', parseTokenCount)
    .option('-t, --temperature <number>', "0 is always the same; default: the model's own", parseTemperature)
    .option('--show-thinking', 'show the thinking on standard error also when it is no terminal')
    .option('--json', 'print the whole answer as one JSON object, when it is complete')
    .addHelpText(
      'after',
      `
Examples:
  espalier chat "How many r's are in strawberry?"
  espalier chat
  git diff | espalier chat --max-tokens 2000 > review.md
  espalier chat --temperature 0 "What is 796 plus 95?" | tail -1

In a conversation Ctrl-C stops the answer, a second one leaves; Ctrl-D leaves. Several lines can be pasted.
${EXIT_CODES}
  130  stopped with Ctrl-C`,
    )
    .action(async (question: string | undefined, options: Options) => {
      const [{ parseControllerUrl }, answering] = await Promise.all([
        import('../../dashboard/client.ts'),
        import('./chat/answer.ts'),
      ]);
      const asker: Asker = {
        controllerUrl: parseControllerUrl(options.controller),
        settings: { model: options.model, maxTokens: options.maxTokens, temperature: options.temperature },
        output: { stdout: process.stdout, stderr: process.stderr, thinking: options.showThinking ?? false },
      };
      if (question === undefined && process.stdin.isTTY && !options.json) {
        const { converse } = await import('./chat/conversation.ts');
        const screen = process.stdout.isTTY ? process.stdout : process.stderr;
        await converse({ ...asker, input: process.stdin, screen, onInterrupt });
        return exit(EXIT.ok);
      }
      const content = (question ?? (await readAll(process.stdin))).trim();
      if (content === '')
        throw new EspalierError('bad_option', 'there is no question: give one as an argument');
      if (options.json) {
        const { collectAnswer } = await import('./chat/collect-answer.ts');
        const whole = await collectAnswer(asker, [{ role: 'user', content }], endingSignal());
        console.log(JSON.stringify(whole, null, 2));
        return exit(whole.cancelled ? 130 : EXIT.ok);
      }
      const answer = await answering.printAnswer(asker, [{ role: 'user', content }], endingSignal());
      return exit(answer.cancelled ? 130 : EXIT.ok);
    });
}

function onInterrupt(listener: () => void): () => void {
  process.on('SIGINT', listener);
  return () => process.off('SIGINT', listener);
}

/** The whole of standard input as text. @throws EspalierError body_too_large when it is more than the API takes */
async function readAll(input: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size > MAX_API_BODY_BYTES) {
      throw new EspalierError(
        'body_too_large',
        `standard input holds more than ${MAX_API_BODY_BYTES / 1024 ** 2} MiB, the most that one question may have`,
      );
    }
  }
  return Buffer.concat(chunks).toString('utf8');
}
