// `espalier completion`: what makes a shell complete commands, options and their values, from the program itself.
import { Argument, Command } from 'commander';
import { bashCompletion } from './completion/bash.ts';
import { fishCompletion } from './completion/fish.ts';
import { type CommandShape, shapeOf } from './completion/shape.ts';
import { zshCompletion } from './completion/zsh.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';

const SHELLS: Record<string, (program: CommandShape) => string> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export function completionCommand(exit: (code: number) => void): Command {
  return new Command('completion')
    .summary('print what makes a shell complete the commands')
    .description('Prints a script for a shell: with it, Tab completes commands, options and their values.')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SHELLS)))
    .addHelpText(
      'after',
      `
Examples:
  echo 'eval "$(espalier completion bash)"' >> ~/.bashrc
  echo 'autoload -U compinit && compinit && source <(espalier completion zsh)' >> ~/.zshrc
  espalier completion fish > ~/.config/fish/completions/espalier.fish
${EXIT_CODES}`,
    )
    .action((shell: string, _options: object, command: Command) => {
      const program = command.parent ?? command;
      console.log(SHELLS[shell]?.(shapeOf(program)));
      exit(EXIT.ok);
    });
}
