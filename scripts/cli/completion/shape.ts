// The commands and options of a program as plain data: what completions and the documentation are made of. Pure.
import type { Command } from 'commander';

export interface OptionShape {
  /** `--json` */
  long: string;
  /** `-c`; null without one */
  short: string | null;
  description: string;
  takesValue: boolean;
  /** the values that it takes, where they can be listed */
  choices: readonly string[];
}

export interface CommandShape {
  /** from the program on, without its name: `key create`; empty for the program itself */
  path: string;
  name: string;
  summary: string;
  commands: readonly CommandShape[];
  options: readonly OptionShape[];
  /** the values of its first argument, where they can be listed */
  choices: readonly string[];
}

export function shapeOf(command: Command, path = ''): CommandShape {
  const visible = command.options.filter(({ hidden }) => !hidden);
  const options = visible.map(({ long, short, description, required, optional, argChoices }): OptionShape => {
    return {
      long: long ?? '',
      short: short ?? null,
      description,
      takesValue: required || optional,
      choices: argChoices ?? [],
    };
  });
  const help = {
    long: '--help',
    short: '-h',
    description: 'display help for command',
    takesValue: false,
    choices: [],
  };
  return {
    path,
    name: command.name(),
    summary: command.summary() || command.description(),
    commands: command.commands.map((below) => shapeOf(below, `${path} ${below.name()}`.trim())),
    options: [...options, help],
    choices: command.registeredArguments[0]?.argChoices ?? [],
  };
}

/** The command itself and all below it. */
export function allCommands(shape: CommandShape): CommandShape[] {
  return [shape, ...shape.commands.flatMap(allCommands)];
}
