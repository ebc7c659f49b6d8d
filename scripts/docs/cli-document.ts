// docs/cli.md, made from the program itself: every command with its options, its examples and its exit codes.
import type { Command } from 'commander';
import { EXIT } from '../cli/exit-codes.ts';

const MEANINGS: Record<keyof typeof EXIT, string> = {
  ok: 'done; the cluster serves; nothing to mend',
  error: 'an error, which is explained with its way out; no controller answers',
  usage: 'wrong usage',
  notServing: '`status` and `dashboard --once`: the cluster does not serve',
  toMend: '`doctor`: there is a warning or worse',
};

/** The whole document. */
export function cliDocument(program: Command): string {
  const codes = Object.entries(EXIT).map(
    ([name, code]) => `| ${code} | ${MEANINGS[name as keyof typeof EXIT]} |`,
  );
  const list = program.commands.map(
    (command) => `| [\`${command.name()}\`](#espalier-${command.name()}) | ${command.summary()} |`,
  );
  const sections = program.commands
    .flatMap((command) => [command, ...command.commands])
    .map((command) => section(command, program));
  return [
    '# The command line',
    'Made from the program: `ESPALIER_UPDATE_DOCS=1 npm test -- test/scripts/docs` writes it anew.',
    `From a checkout, \`espalier\` is \`npm run -s espalier --\`. Every command has \`--help\`; \`espalier completion SHELL\` makes Tab complete them.
What prints something for people prints it for programs with \`--json\`: one value on standard output, and nothing else there.`,
    `| command | what it does |\n|---|---|\n${list.join('\n')}`,
    `## Exit codes\n\n| code | meaning |\n|---|---|\n${codes.join('\n')}\n| 130 | stopped with Ctrl-C |`,
    `## Environment

| variable | meaning |
|---|---|
| \`ESPALIER_HOME\` | where the state lies: \`~/.espalier\` |
| \`ESPALIER_CONTROLLER\` | the controller to ask, as \`--controller\` |
| \`ESPALIER_KEY\` | a key of the API, for a controller on another machine |
| \`ESPALIER_JOIN_TOKEN\` | a join token for \`espalier agent\`, as \`--join -\` |`,
    ...sections,
  ]
    .join('\n\n')
    .concat('\n');
}

function section(command: Command, program: Command): string {
  const { parent } = command;
  const path = parent && parent !== program ? `${parent.name()} ${command.name()}` : command.name();
  // as wide as the text is in the terminal that everybody has
  command.configureOutput({ getOutHelpWidth: () => 100, getOutHasColors: () => false });
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  return `## espalier ${path}\n\n\`\`\`text\n${help.trim()}\n\`\`\``;
}
