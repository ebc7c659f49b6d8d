// Completion for bash, 3.2 as macOS has it and later. Pure.
import { allCommands, type CommandShape } from './shape.ts';

export function bashCompletion(program: CommandShape): string {
  const commands = allCommands(program);
  const words = commands.map(({ path, commands: below, options, choices }) => {
    const offered = [...below.map(({ name }) => name), ...choices, ...options.map(({ long }) => long)];
    return `    ${JSON.stringify(path)}) words=${quoted(offered.join(' '))} ;;`;
  });
  const values = commands.flatMap(({ path, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map(({ long, short, choices }) => {
        const names = [long, short].filter((name) => name !== null).map((name) => `"${path}:${name}"`);
        return `    ${names.join('|')}) words=${quoted(choices.join(' '))}; isValue=1 ;;`;
      }),
  );
  const known = commands.filter(({ path }) => path !== '').map(({ path }) => JSON.stringify(path));
  return `# bash completion for espalier: eval "$(espalier completion bash)"
_espalier() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  local path="" word next words="" isValue="" at
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    next="\${path:+$path }$word"
    case "$next" in
    ${known.join('|')}) path="$next" ;;
    esac
  done
  case "$path" in
${words.join('\n')}
  esac
  case "$path:$before" in
${values.join('\n')}
  esac
  if [ -n "$isValue" ] && [ -z "$words" ]; then
    COMPREPLY=($(compgen -f -- "$current"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}
complete -F _espalier espalier`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
