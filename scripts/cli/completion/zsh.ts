// Completion for zsh, with descriptions. Pure.
import { allCommands, type CommandShape } from './shape.ts';

export function zshCompletion(program: CommandShape): string {
  const commands = allCommands(program);
  const offers = commands.map(({ path, commands: below, options, choices }) => {
    const words = [
      ...below.map(({ name, summary }) => described(name, summary)),
      ...choices.map((choice) => quoted(choice)),
    ];
    const flags = options.map(({ long, description }) => described(long, description));
    return `    ${quoted(path)}) words=(${words.join(' ')}); flags=(${flags.join(' ')}) ;;`;
  });
  const values = commands.flatMap(({ path, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map(({ long, short, choices }) => {
        const names = [long, short].filter((name) => name !== null).map((name) => quoted(`${path}:${name}`));
        return `    ${names.join('|')}) isValue=1; words=(${choices.map(quoted).join(' ')}) ;;`;
      }),
  );
  const known = commands.filter(({ path }) => path !== '').map(({ path }) => quoted(path));
  return `#compdef espalier
# zsh completion for espalier: espalier completion zsh > "\${fpath[1]}/_espalier", or source <(espalier completion zsh)
_espalier() {
  local path_="" next at isValue="" before="\${words[CURRENT-1]}"
  for ((at = 2; at < CURRENT; at++)); do
    next="\${path_:+$path_ }\${words[at]}"
    case "$next" in
    ${known.join('|')}) path_="$next" ;;
    esac
  done
  local -a words flags
  case "$path_" in
${offers.join('\n')}
  esac
  case "$path_:$before" in
${values.join('\n')}
  esac
  if [[ -n $isValue ]]; then
    if (( \${#words} )); then _describe 'value' words; else _files; fi
    return
  fi
  (( \${#words} )) && _describe 'command' words
  [[ $PREFIX == -* || \${#words} -eq 0 ]] && _describe -o 'option' flags
  return 0
}
compdef _espalier espalier`;
}

function described(name: string, text: string): string {
  return quoted(`${name.replaceAll(':', '\\:')}:${text}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
