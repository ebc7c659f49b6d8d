// `espalier connect CLIENT`: tells what a client needs to use this cluster, tries the endpoint in its way, and with
// --write puts it into the client's own settings.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Argument, Command, Option } from 'commander';
import { EspalierError } from '../../protocol/errors.ts';
import type { Client, Endpoint } from './connect/client.ts';
import { CLIENTS } from './connect/clients.ts';
import { EXIT, EXIT_CODES } from './exit-codes.ts';
import { controllerOption } from './options.ts';

interface Options {
  controller: string;
  model?: string;
  key?: string;
  write?: boolean;
  file?: string;
  yes?: boolean;
  check: boolean;
  json?: boolean;
}

export function connectCommand(exit: (code: number) => void): Command {
  const names = CLIENTS.map(({ name }) => name);
  return new Command('connect')
    .summary('set up a client: Open WebUI, Claude Code, Codex, …')
    .description(
      'Tells what a client needs to use this cluster, and tries whether the endpoint answers in the way in which that ' +
        'client asks. With --write it goes into the settings of the client, after the change was shown; what was there ' +
        'before stays beside it as a copy.',
    )
    .addArgument(new Argument('<client>', 'the client').choices(names))
    .addOption(controllerOption())
    .option('-m, --model <id>', 'the model (default: the one that is deployed)')
    .option('-k, --key <key>', 'the API key, where one is needed')
    .option('--write', 'change the settings of the client')
    .option('--file <path>', 'its settings file, where it is not at its usual place')
    .option('-y, --yes', 'write without asking')
    .option('--no-check', 'do not try the endpoint')
    .addOption(new Option('--json', 'print one JSON object').conflicts('write'))
    .addHelpText(
      'after',
      `
Examples:
  espalier connect open-webui
  espalier connect claude-code --write
  espalier connect librechat --write --file ~/LibreChat/librechat.yaml
  espalier connect codex --controller http://studio-1.local:7117 --key KEY
${EXIT_CODES}`,
    )
    .action(async (name: string, options: Options) => {
      const client = CLIENTS.find((known) => known.name === name) as Client;
      const [{ parseControllerUrl }, { findEndpoint }] = await Promise.all([
        import('../../dashboard/client.ts'),
        import('./connect/endpoint.ts'),
      ]);
      const url = parseControllerUrl(options.controller);
      const { endpoint, hasTools } = await findEndpoint(url, options.model, options.key);
      if (options.json) {
        const checks = options.check ? await tried(client, endpoint) : [];
        const { name: id, title } = client;
        console.log(
          JSON.stringify(
            { client: id, title, endpoint, hasTools, steps: client.steps(endpoint), checks },
            null,
            2,
          ),
        );
        return exit(checks.some(({ problem }) => problem !== null) ? EXIT.error : EXIT.ok);
      }
      console.log(`${client.title}\n\n${client.steps(endpoint)}\n`);
      const isRight = !options.check || (await check(client, endpoint, hasTools));
      if (options.write) await write(client, endpoint, options);
      return exit(isRight ? EXIT.ok : EXIT.error);
    });
}

/** Each path that the client asks, and what is wrong with the answer; null where nothing is. */
async function tried(
  { ways }: Client,
  endpoint: Endpoint,
): Promise<{ path: string; problem: string | null }[]> {
  const { askInItsWay } = await import('./connect/ask.ts');
  const checks: { path: string; problem: string | null }[] = [];
  for await (const { path, problem } of askInItsWay(endpoint, ways))
    checks.push({ path, problem: problem ?? null });
  return checks;
}

/** @returns whether the client would be answered */
async function check(
  { title, ways, needsTools }: Client,
  endpoint: Endpoint,
  hasTools: boolean,
): Promise<boolean> {
  const { askInItsWay } = await import('./connect/ask.ts');
  let isRight = true;
  console.log(`Asked as ${title} asks:`);
  for await (const { path, problem } of askInItsWay(endpoint, ways)) {
    console.log(problem === undefined ? `  ✓ ${path}` : `  ✗ ${path}: ${problem}`);
    isRight &&= problem === undefined;
  }
  if (needsTools && !hasTools) {
    console.log(`  ✗ ${title} sends tools, and the chat template of ${endpoint.model} has no form for them.`);
    console.log(
      '    → Deploy a model whose template has one: DeepSeek R1 and its distilled models, Qwen 2.5 and 3.',
    );
    isRight = false;
  }
  return isRight;
}

async function write({ title, file }: Client, endpoint: Endpoint, options: Options): Promise<void> {
  if (!file) {
    throw new EspalierError(
      'bad_option',
      `--write: ${title} keeps its settings in no file; do the steps above by hand`,
    );
  }
  const path = options.file ? resolve(options.file) : file.path && join(homedir(), ...file.path);
  if (!path)
    throw new EspalierError('bad_option', `--write: where ${title} is installed, only --file PATH can say`);
  const { changeText, readSettings, writeSettings } = await import('./connect/write-settings.ts');
  const before = await readSettings(path);
  const after = changed(path, () => file.change(before, endpoint));
  const change = changeText(path, before, after);
  if (change === '') return console.log(`\n${path} has all of it already.`);
  console.log(`\n${change}`);
  if (!options.yes && !(await isWanted(path))) return console.log('Nothing was written.');
  const copy = await writeSettings(path, before, after);
  console.log(`${path} is written${copy === undefined ? '' : `; what was there is in ${copy}`}.`);
}

function changed(path: string, change: () => string): string {
  try {
    return change();
  } catch (error) {
    throw new EspalierError('bad_option', `${path} cannot be changed: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function isWanted(path: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new EspalierError(
      'bad_option',
      '--write: nobody can be asked here whether this is wanted; add --yes',
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question(`Write ${path}? [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
