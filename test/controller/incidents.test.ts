// Incidents in a real file.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Incidents } from '../../controller/incidents.ts';
import { MAX_INCIDENTS } from '../../protocol/limits.ts';
import { createLog } from '../../protocol/log.ts';

const log = createLog('test');
log.level = 'silent';

const REPORT = {
  nodeId: 'id-b',
  node: 'b',
  code: 'stage_lost',
  seen: 'b is lost',
  fix: undefined,
  requests: 1,
} as const;
const OUTCOME = { outcome: 'serving', done: 'it serves', planMs: 1, loadMs: 2, linkMs: undefined } as const;

async function homeOf(t: TestContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'espalier-test-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  return home;
}

test('they outlive the controller, with their outcome and the parts of the pause', async (t) => {
  const home = await homeOf(t);
  const incidents = await Incidents.open(home, log);
  assert.equal(incidents.lastNumber, 0);
  incidents.begin({ ...REPORT, number: 1 });
  incidents.begin({ ...REPORT, number: 2, seen: 'x'.repeat(5_000) });
  incidents.end({ ...OUTCOME, numbers: [1, 2] });
  incidents.resumed([1, 2], 30);
  await incidents.close();
  const again = await Incidents.open(home, log);
  assert.equal(again.lastNumber, 2);
  const [first, second] = again.report.incidents;
  assert.deepEqual(first?.pause, { planMs: 1, loadMs: 2, linkMs: null, replayMs: 30 });
  assert.equal(first?.outcome, 'serving');
  assert.equal(second?.seen.length, 1_000);
});

test('what was open when the controller ended is over', async (t) => {
  const home = await homeOf(t);
  const incidents = await Incidents.open(home, log);
  incidents.begin({ ...REPORT, number: 1 });
  await incidents.close();
  const [only] = (await Incidents.open(home, log)).report.incidents;
  assert.deepEqual([only?.outcome, only?.done], ['impossible', 'the controller ended before it was over']);
});

test('only the newest are kept, in the file too', async (t) => {
  const home = await homeOf(t);
  const incidents = await Incidents.open(home, log);
  for (let number = 1; number <= MAX_INCIDENTS + 20; number++) incidents.begin({ ...REPORT, number });
  await incidents.close();
  const lines = (await readFile(join(home, 'incidents.jsonl'), 'utf8')).trimEnd().split('\n');
  assert.equal(lines.length, MAX_INCIDENTS);
  assert.equal((await Incidents.open(home, log)).report.incidents[0]?.number, 21);
});

test('a damaged file costs the history; a folder that cannot be written costs nothing else', async (t) => {
  const home = await homeOf(t);
  await writeFile(join(home, 'incidents.jsonl'), '{"number":');
  const incidents = await Incidents.open(home, log);
  assert.deepEqual(incidents.report.incidents, []);
  await mkdir(join(home, 'incidents.jsonl.new'));
  incidents.begin({ ...REPORT, number: 1 });
  await incidents.close();
  assert.equal(incidents.report.incidents.length, 1);
});
