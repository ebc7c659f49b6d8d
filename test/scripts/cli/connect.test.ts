// The command over a real API: what it tells, what it tries, what it writes.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { loadTextModel } from '../../../controller/text-model.ts';
import { askInItsWay } from '../../../scripts/cli/connect/ask.ts';
import { CLIENTS } from '../../../scripts/cli/connect/clients.ts';
import { findEndpoint } from '../../../scripts/cli/connect/endpoint.ts';
import { type ApiUnderTest, startApi, sum } from '../../controller/api/api-under-test.ts';
import { toolsModel } from '../../support/tools-model.ts';
import { run } from './run.ts';

async function apiWithTools(t: TestContext): Promise<ApiUnderTest> {
  const copy = toolsModel();
  const model = loadTextModel(copy.dir, { id: 'demo-model' });
  t.after(async () => {
    await (await model).close();
    copy.remove();
  });
  const api = await startApi(t, { model });
  api.source.script = () => sum.greedy_ids;
  return api;
}

function home(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'espalier-connect-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test('every client is told where to ask, and the endpoint answers in its way', async (t) => {
  const { url } = await apiWithTools(t);
  const { endpoint, hasTools } = await findEndpoint(url, undefined, undefined);
  assert.equal(hasTools, true);
  for (const { name, steps, ways } of CLIENTS) {
    assert.ok(steps(endpoint).includes(url), name);
    for await (const { path, problem } of askInItsWay(endpoint, ways))
      assert.equal(problem, undefined, `${name}: ${path}`);
  }
  const { code, stdout } = await run(['connect', 'open-webui', '--controller', url]);
  assert.equal(code, 0);
  assert.match(stdout, /Asked as Open WebUI asks:\n {2}✓ \/v1\/models\n/);
  assert.ok(!stdout.includes('✗'), stdout);
});

test('a client that needs tools is told when the model has none', async (t) => {
  const { url, source } = await startApi(t);
  source.script = () => sum.greedy_ids;
  const { code, stdout } = await run(['connect', 'claude-code', '--controller', url]);
  assert.equal(code, 1);
  assert.match(stdout, /✗ Claude Code sends tools, and the chat template of demo-model has no form for them/);
});

test('--write changes a settings file after a copy of it, keeps what else is there, and once is enough', async (t) => {
  const { url } = await apiWithTools(t);
  const file = join(home(t), 'settings.json');
  const before = '{\n  // mine\n  "theme": "dark",\n  "env": { "A": "1" }\n}\n';
  writeFileSync(file, before, { mode: 0o640 });
  const args = ['connect', 'claude-code', '--controller', url, '--no-check', '--write', '--file', file];
  const asked = await run(args);
  assert.equal(asked.code, 2, 'nobody can be asked');
  assert.match(asked.stdout, /^\+.*ANTHROPIC_BASE_URL/m, 'the change is shown first');
  assert.equal(readFileSync(file, 'utf8'), before);
  const written = await run([...args, '--yes']);
  assert.equal(written.code, 0, written.stderr);
  const after = readFileSync(file, 'utf8');
  assert.match(after, /\/\/ mine\n {2}"theme": "dark"/);
  assert.match(after, new RegExp(`"ANTHROPIC_BASE_URL": "${url}"`));
  assert.equal(statSync(file).mode & 0o777, 0o640);
  const [copy] = readdirSync(join(file, '..')).filter((name) => name.endsWith('.backup'));
  assert.equal(readFileSync(join(file, '..', copy ?? ''), 'utf8'), before);
  assert.match((await run([...args, '--yes'])).stdout, /has all of it already/);
});

test('the files of the other clients, new and twice', () => {
  const endpoint = { url: 'http://studio:7117', model: 'r1', key: 'secret', contextTokens: 4096 };
  const change = (name: string): string => {
    const file = CLIENTS.find((client) => client.name === name)?.file;
    assert.ok(file);
    const once = file.change(undefined, endpoint);
    assert.equal(file.change(once, endpoint), once, 'twice is once');
    return once;
  };
  const codex = change('codex');
  assert.match(codex, /base_url = "http:\/\/studio:7117\/v1"\nwire_api = "responses"/);
  assert.ok(!codex.includes('secret'), 'it reads the key from the environment');
  const { models } = parse(change('continue')) as { models: { apiBase: string; apiKey: string }[] };
  assert.deepEqual(
    [models.length, models[0]?.apiBase, models[0]?.apiKey],
    [1, 'http://studio:7117/v1', 'secret'],
  );
  const { endpoints } = parse(change('librechat')) as { endpoints: { custom: object[] } };
  assert.equal(endpoints.custom.length, 1);
  assert.match(change('zed'), /"api_url": "http:\/\/studio:7117\/v1"/);
});

test('what cannot be written is refused with the reason', async (t) => {
  const { url } = await apiWithTools(t);
  const broken = join(home(t), 'settings.json');
  writeFileSync(broken, '{ "theme": ');
  const common = ['--controller', url, '--no-check', '--write', '--yes'];
  await Promise.all(
    (
      [
        [['open-webui'], /Open WebUI keeps its settings in no file/],
        [['librechat'], /only --file PATH can say/],
        [['claude-code', '--file', broken], /cannot be changed: it is not JSON/],
        [['emacs'], /Allowed choices are open-webui, claude-code/],
      ] as const
    ).map(async ([args, message]) => {
      const { code, stderr } = await run(['connect', ...args, ...common]);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }),
  );
  assert.equal(readFileSync(broken, 'utf8'), '{ "theme": ');
});
