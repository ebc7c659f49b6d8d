// The command as a user runs it: on paper without any network, and against a real API whose plan is on paper.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { PlanReport } from '../../../protocol/plan-report.ts';
import { startApi } from '../../controller/api/api-under-test.ts';
import { demoModelDir } from '../../support/paths.ts';
import { run } from './run.ts';

const SIX = '6x Mac Studio M2 Ultra 192GB, thunderbolt ring';

async function json(...args: string[]): Promise<PlanReport> {
  const { code, stdout, stderr } = await run(['plan', '--json', ...args]);
  assert.deepEqual([code, stderr], [0, '']);
  return PlanReport.parse(JSON.parse(stdout));
}

const ranges = ({ stages }: PlanReport) =>
  stages.map(({ node, range }) => `${node} ${range.start}-${range.end}`);

test('before buying: stages with memory bars, links, predictions, limits, no node and no network', async () => {
  const { code, stdout, stderr } = await run(['plan', '--hardware', SIX], { env: { COLUMNS: '200' } });
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(
    stdout,
    /^On paper: deepseek-r1-4bit, 352 GiB, on 6 nodes for throughput\n\nstage +node +chip/,
  );
  assert.equal(
    stdout.match(
      /\n +\d +m2-ultra-\d +M2 Ultra +\d+–\d+ +[\d.]+ ms +█+▓+▒+·+ .* GiB +Thunderbolt 4, 0\.3\d ms/g,
    )?.length,
    6,
  );
  assert.match(stdout, /\none stream +\d+\.\d tok\/s, predicted\n/);
  assert.match(stdout, /\nall stages busy +\d+ tok\/s with 6 streams, predicted\n/);
  assert.match(stdout, /\nprefill +\d+ tok\/s of a prompt of 4,096 tokens, predicted\n/);
  assert.match(stdout, /\nlongest context +163,840 tokens/);
  assert.match(stdout, /\nWhat limits it\n {2}- one stream: /);
  assert.match(
    stdout,
    /\nWhat would make it better \(predicted\)\n {2}- one more node like m2-ultra-1 .*: \+\d+ %/,
  );
  assert.match(stdout, /\nWhat this rests on\n/);
});

test('no line is wider than the terminal, down to 40 columns', async () => {
  for (const width of [40, 80]) {
    for (const args of [
      ['-w', SIX],
      ['-w', SIX, '-w', '2x M4 Pro mini 64GB', '-w', 'M3 Ultra 512GB'],
      ['-w', '9x M4 Pro mini 64GB, wifi'],
    ]) {
      const { stdout } = await run(['plan', ...args], { env: { COLUMNS: String(width) } });
      for (const line of stdout.split('\n')) assert.ok([...line].length <= width, `${width}: ${line}`);
    }
  }
});

test('--json: the whole plan; --goal, --context, --streams and pins change it', async () => {
  const plain = await json('-w', SIX);
  assert.equal(plain.stages.at(-1)?.range.end, 61);
  assert.deepEqual(
    [plain.goal, plain.contextTokens, plain.streams, plain.epoch],
    ['throughput', 16_384, 1, null],
  );
  assert.equal(plain.isExact, true);
  const latency = async (share: string) => json('-w', SIX, '--goal', 'latency', '--yield', share);
  assert.equal((await latency('0')).stages.length, 3);
  const guessing = await latency('0.7');
  assert.equal(guessing.stages.length, 6, 'idle stages work on guesses');
  const speeds = guessing.predicted.guessed?.map(({ oneStream }) => oneStream) ?? [];
  assert.ok(
    speeds.length > 1 && speeds.every((speed, i) => speed > (speeds[i - 1] ?? guessing.predicted.oneStream)),
  );
  const many = await json('-w', SIX, '--context', '100000', '--streams', '16');
  assert.deepEqual([many.contextTokens, many.streams], [100_000, 16]);
  assert.ok(many.predicted.asked.tokensPerSecond > plain.predicted.asked.tokensPerSecond);
  const pinned = await json(
    '-w',
    SIX,
    '--order',
    'm2-ultra-4, m2-ultra-2,m2-ultra-1',
    '--layers',
    '20,21,20',
  );
  assert.deepEqual(ranges(pinned), ['m2-ultra-4 0-20', 'm2-ultra-2 20-41', 'm2-ultra-1 41-61']);
  const without = await json('-w', SIX, '--exclude', 'm2-ultra-3');
  assert.deepEqual([without.stages.length, without.leftOut], [5, ['m2-ultra-3']]);
});

test('--model: a built-in one or a folder', async () => {
  const distilled = await json('-w', 'M4 Pro mini 64GB', '--model', 'deepseek-r1-distill-llama-70b-4bit');
  assert.equal(distilled.model.layerCount, 80);
  const demo = await json('-w', '3x M4 mini 16GB', '--model', demoModelDir);
  assert.deepEqual([demo.model.id, demo.model.layerCount], ['espalier-demo', 12]);
  const unknown = await run(['plan', '-w', SIX, '-m', 'gpt-5']);
  assert.equal(unknown.code, 2);
  assert.match(
    unknown.stderr,
    /no built-in model "gpt-5" and no model folder of that name; built in are: deepseek-r1-3bit, /,
  );
  const missing = await run(['plan', '-w', SIX, '-m', './no/such/folder']);
  assert.match(missing.stderr, /there is no model folder \.\/no\/such\/folder/);
});

test('several --hardware are compared; what does not fit says why', async () => {
  const args = ['plan', '-w', '2x M3 Ultra 512GB, thunderbolt', '-w', '2x M4 Pro mini 64GB'];
  const { code, stdout } = await run(args);
  assert.equal(code, 0);
  assert.match(stdout, /\none stream, tok\/s +\d+\.\d +does not fit\n/);
  assert.match(stdout, /\nB: deepseek-r1-4bit does not fit: (.|\n)* are missing/);
  const both = await run([...args, '--json']);
  const [first, second] = JSON.parse(both.stdout) as {
    hardware: string;
    report: unknown;
    refused: string | null;
  }[];
  PlanReport.parse(first?.report);
  assert.equal(second?.report, null);
  assert.match(second?.refused ?? '', /does not fit/);
  assert.equal((await run(['plan', '-w', 'M4 mini 16GB', '-w', 'M4 mini 32GB'])).code, 1);
});

test('too little: exit code 1, what is missing and what would do', async () => {
  const { code, stdout, stderr } = await run(['plan', '-w', '2x M4 Pro mini 64GB']);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(
    stderr,
    /^espalier: deepseek-r1-4bit does not fit: .* 259\.2 GiB \(278\.4 GB\) are missing\. What would do: /,
  );
});

test('wrong usage: exit code 2, the option and an example', async () => {
  const refused = async (args: string[], message: RegExp) => {
    const { code, stdout, stderr } = await run(['plan', ...args]);
    assert.deepEqual([code, stdout], [2, ''], args.join(' '));
    assert.match(stderr, message);
  };
  await refused(
    ['-w', 'six macs'],
    /"six macs" is not understood: .*"6x Mac Studio M2 Ultra 192GB, thunderbolt ring"/,
  );
  await refused(['-w', SIX, '--layers', '20,x'], /It takes layers of each stage, like 20,21,20/);
  await refused(['-w', SIX, '--order', 'a,,b'], /It takes names with commas between/);
  await refused(['-w', SIX, '--order', 'studio-1'], /there is no node studio-1; there are: m2-ultra-1, /);
  await refused(['-w', SIX, '--goal', 'speed'], /Allowed choices are throughput, latency/);
  await refused(['-w', SIX, '--context', '200000'], /deepseek-r1-4bit knows at most 163840 tokens/);
  await refused(['--goal', 'latency'], /--goal asks for another plan than the one in force: add --hardware/);
});

test('of a running cluster: the plan in force, as a table and as JSON', async (t) => {
  const { url } = await startApi(t);
  const { code, stdout } = await run(['plan', '--controller', url]);
  assert.equal(code, 0);
  assert.match(stdout, /deepseek-r1-4bit, 352 GiB, on 3 nodes for throughput\n/);
  assert.equal((await json('--controller', url)).stages.length, 3);
});

test('a cluster without a plan says why; who is no controller, or an older one, is told apart', async (t) => {
  const api = await startApi(t);
  api.setState('starting', 'waiting for nodes');
  const none = await run(['plan', '--controller', api.url]);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /^espalier: it is starting/i);
  const page = await run(['plan', '--controller', await answering(t, 404, '<html>')]);
  assert.match(page.stderr, /HTTP 404 and no plan: is it an Espalier controller\?/);
  const other = await run(['plan', '--controller', await answering(t, 200, '{"stages":[]}')]);
  assert.match(other.stderr, /is not understood by version .*: upgrade the older side/);
  const closed = await run(['plan', '--controller', 'http://127.0.0.1:9']);
  assert.match(closed.stderr, /no controller answers at/);
});

/** The address of a server that answers everything with this. */
async function answering(t: TestContext, status: number, body: string): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status).end(body));
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}
