// The command over a real API.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IncidentsReport } from '../../../protocol/incidents.ts';
import { SAMPLE_INCIDENT, startApi } from '../../controller/api/api-under-test.ts';
import { run } from './run.ts';

test('it tells what was seen, what was done, how long it took and what to mend', async (t) => {
  const { url } = await startApi(t);
  const text = await run(['incidents', '--controller', url]);
  assert.deepEqual([text.code, text.stderr], [0, '']);
  assert.match(text.stdout, /^✓ #7 {2}2026-11-22 \d\d:\d\d:\d\d {2}studio-2 is lost: silent for 3\.5 s$/m);
  assert.match(text.stdout, /^ {2}serving r1: .* read from the disk, 2 requests waited$/m);
  assert.match(text.stdout, /^ {2}pause 1\.1 s: plan 20 ms, load 900 ms, link 40 ms, replay 140 ms$/m);
  assert.match(text.stdout, /^ {2}→ Look at the agent on studio-2/m);
  const json = await run(['incidents', '--json', '--controller', url]);
  assert.deepEqual(IncidentsReport.parse(JSON.parse(json.stdout)), { incidents: [SAMPLE_INCIDENT] });
});

test('a count that cannot be is a usage error', async () => {
  const { code, stderr } = await run(['incidents', '--last', '0']);
  assert.equal(code, 2);
  assert.match(stderr, /a number of incidents from 1 to 500/);
});
