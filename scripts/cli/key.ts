// `espalier key`: the keys of the API's clients, made, listed and revoked in the home of the controller.
import { Command, Option } from 'commander';
import { ApiKeys, KEY_THINKING, type KeyPurpose } from '../../controller/trust/api-keys.ts';
import { espalierHome } from '../../protocol/home.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { table } from './table.ts';

const EXAMPLES = `
Examples:
  espalier key create laptop
  espalier key create my-phone --admin
  espalier key create sillytavern --thinking inline
  espalier key list
  espalier key revoke laptop
${EXIT_CODES}`;

export function keyCommand(exit: (code: number) => void): Command {
  const open = () => new ApiKeys(espalierHome());
  const create = new Command('create')
    .summary('make a key and print it, once')
    .argument('<name>', 'by which it is listed and revoked')
    .option('--admin', 'it may change the cluster: pair, unpair, measure links')
    .addOption(
      new Option(
        '--thinking <how>',
        'how its client is shown the thinking, unless a request says: apart, in the text, or not at all',
      ).choices(KEY_THINKING),
    )
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action((name: string, options: { admin?: boolean; json?: boolean } & Partial<KeyPurpose>) => {
      const { admin = false, json = false, thinking } = options;
      const key = open().create(name, { isAdmin: admin, thinking });
      console.log(json ? JSON.stringify({ name, isAdmin: admin, thinking, key }, null, 2) : key);
      console.error('It is shown only now: what is kept is a hash of it.');
      exit(EXIT.ok);
    });
  const list = new Command('list')
    .summary('show the keys that count')
    .option('--json', 'print one JSON array')
    .addHelpText('after', EXAMPLES)
    .action(({ json = false }: { json?: boolean }) => {
      const keys = open().list();
      const shown = keys.map(({ sha256: _, ...key }) => key);
      const rows = shown.map(({ name, isAdmin, thinking = 'apart', createdAt }) => [
        name,
        isAdmin ? 'admin' : 'client',
        thinking,
        createdAt.slice(0, 10),
      ]);
      const text =
        rows.length > 0 ? table([['name', 'may', 'thinking', 'since'], ...rows]) : 'There are no keys.';
      console.log(json ? JSON.stringify(shown, null, 2) : text);
      exit(EXIT.ok);
    });
  const revoke = new Command('revoke')
    .summary('a key opens nothing any more, at once')
    .argument('<name>', 'as it is listed')
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action((name: string, { json = false }: { json?: boolean }) => {
      open().revoke(name);
      console.log(json ? JSON.stringify({ revoked: name }, null, 2) : `${name} is revoked.`);
      exit(EXIT.ok);
    });
  return new Command('key')
    .summary("make, list and revoke keys of the controller's API")
    .description(
      'An API that listens beyond this machine asks every client for a key. Run it as the user and with the ESPALIER_HOME ' +
        'of the controller; a running one heeds it at once.',
    )
    .addHelpText('after', EXAMPLES)
    .addCommand(create)
    .addCommand(list)
    .addCommand(revoke);
}
