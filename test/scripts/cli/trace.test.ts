// The command over a real API whose stages are on paper: what a user reads, and the file that is left.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { makeTrace } from '../../../controller/trace/trace.ts';
import type { ChromeTrace } from '../../../protocol/trace.ts';
import { startApi } from '../../controller/api/api-under-test.ts';
import { ring } from '../../controller/trace/ring.ts';
import { CLI, environment, run } from './run.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'espalier-trace-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The address of a server that answers everything with this. */
async function answering(t: TestContext, status: number, body: string): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status).end(body));
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}

test('without options it writes espalier-trace.json here and says why it is slow', async (t) => {
  const { url } = await startApi(t);
  const cwd = folder(t);
  const { stdout, stderr } = await execa(process.execPath, [CLI, 'trace', '--controller', url], {
    cwd,
    env: environment(),
    extendEnv: false,
  });
  assert.equal(stderr, '');
  assert.deepEqual(readdirSync(cwd), ['espalier-trace.json']);
  const trace = JSON.parse(readFileSync(join(cwd, 'espalier-trace.json'), 'utf8')) as ChromeTrace;
  assert.equal(trace.metadata.summary.steps, 200);
  assert.match(stdout, /^The last 200 steps of demo-model, epoch 1: /);
  assert.match(stdout, /\n +0 +node-0 +0–3 +200 +\d+% .* 900 µs +\d+%/);
  assert.ok(stdout.includes(`\n\n${trace.metadata.summary.verdict}\n\n`));
  assert.match(stdout, /\nWritten to espalier-trace\.json: open it in https:\/\/ui\.perfetto\.dev$/);
});

test('--output - is the file alone on standard output, the words on standard error', async (t) => {
  const { url } = await startApi(t);
  const { code, stdout, stderr } = await run(['trace', '-s', '3', '-o', '-', '--controller', url]);
  assert.equal(code, 0);
  const { metadata, traceEvents } = JSON.parse(stdout) as ChromeTrace;
  assert.equal(metadata.summary.steps, 3);
  assert.ok(traceEvents.length > 0);
  assert.match(stderr, /^The last 3 steps .*\n\nstage +node/);
  assert.doesNotMatch(stderr, /Written/);
});

test('a file that cannot be written is named', async (t) => {
  const { url } = await startApi(t);
  const file = join(folder(t), 'no-such-folder', 'trace.json');
  const { code, stdout, stderr } = await run(['trace', '-o', file, '--controller', url]);
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(stderr, /--output .*no-such-folder.*trace\.json: it cannot be written \(ENOENT\)/);
});

test('a cluster that does not serve: its own words and exit code 1, no file', async (t) => {
  const api = await startApi(t);
  api.setState('degraded', 'studio-2 is lost');
  const file = join(folder(t), 'trace.json');
  const { code, stdout, stderr } = await run(['trace', '-o', file, '--controller', api.url]);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /^espalier: .*degraded.*`espalier status`/);
  assert.throws(() => readFileSync(file), { code: 'ENOENT' });
});

test('before the first step: what to do, exit code 1, no file', async (t) => {
  const told = ring({ computeUs: [900, 500], linkUs: [60, 60], steps: 0 });
  const trace = makeTrace({ engine: 'node-mlx', model: 'demo-model', epoch: 1 }, told, 200);
  const file = join(folder(t), 'trace.json');
  const url = await answering(t, 200, JSON.stringify(trace));
  const { code, stdout, stderr } = await run(['trace', '-o', file, '--controller', url]);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /^espalier: No step has run .* Ask something first/);
  assert.throws(() => readFileSync(file), { code: 'ENOENT' });
});

test('who is no controller, or an older one, is told apart', async (t) => {
  const page = await run(['trace', '--controller', await answering(t, 404, '<html>')]);
  assert.equal(page.code, 1);
  assert.match(page.stderr, /HTTP 404 and no trace: is it an Espalier controller\?/);
  const other = await run(['trace', '--controller', await answering(t, 200, '{"traceEvents":[]}')]);
  assert.equal(other.code, 1);
  assert.match(other.stderr, /is not understood by version .*: upgrade the older side/);
  const words = '{"error":{"message":"There is no /cluster/v1/trace. Check the path."}}';
  const older = await run(['trace', '--controller', await answering(t, 404, words)]);
  assert.match(older.stderr, /^espalier: There is no \/cluster\/v1\/trace/);
});
