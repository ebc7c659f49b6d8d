// Completion for fish, with descriptions. Pure.
import { allCommands, type CommandShape } from './shape.ts';

export function fishCompletion(program: CommandShape): string {
  const lines = allCommands(program).flatMap((command) => {
    const { path, commands, options, choices } = command;
    const where = `-n ${quoted(condition(command))}`;
    return [
      ...commands.map(
        ({ name, summary }) => `complete -c espalier ${where} -f -a ${name} -d ${quoted(summary)}`,
      ),
      ...(choices.length > 0 ? [`complete -c espalier ${where} -f -a ${quoted(choices.join(' '))}`] : []),
      ...options.map(({ long, short, description, takesValue, choices: values }) => {
        const names = `-l ${long.slice(2)}${short === null ? '' : ` -s ${short.slice(1)}`}`;
        const value = takesValue ? (values.length > 0 ? ` -x -a ${quoted(values.join(' '))}` : ' -r') : '';
        // of a command with others below it, its own options count on all of them
        const own = path === '' ? '-n __fish_use_subcommand' : where;
        return `complete -c espalier ${own} ${names}${value} -d ${quoted(description)}`;
      }),
    ];
  });
  return [
    '# fish completion for espalier: espalier completion fish | source',
    'complete -c espalier -f',
    ...lines,
  ].join('\n');
}

/** Holds where the command itself, and none of those below it, is what is typed. */
function condition({ path, commands }: CommandShape): string {
  if (path === '') return '__fish_use_subcommand';
  const seen = path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
  const below = commands.map(({ name }) => name).join(' ');
  return [...seen, ...(below === '' ? [] : [`not __fish_seen_subcommand_from ${below}`])].join('; and ');
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
