import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusReport } from '../../../scripts/cli/status-report.ts';
import { sampleDeploying, sampleLost, sampleStarting, sampleStatus } from '../../dashboard/sample.ts';

const URL = 'http://127.0.0.1:7117';

test('a serving cluster: model, speed, requests, one row a stage', () => {
  const report = statusReport(sampleStatus(), URL);
  assert.match(report, /^Espalier 0\.1\.0 at http:\/\/127\.0\.0\.1:7117: serving\n/);
  assert.match(
    report,
    /model +DeepSeek-R1-0528-4bit \(deepseek_v3, 30 layers, 4-bit, context of 163,840 tokens\)/,
  );
  assert.match(report, /14\.2 tok\/s now, 11\.3 tok\/s over the last minute, first token after 840 ms/);
  assert.match(report, /2 running, 1 waiting, 41 done, 1 failed, 12,345 tokens in all/);
  assert.match(
    report,
    /\nnode +layers +state +pid +tok\/s +step ms +busy +weights +resident +KV\nstudio-1 +0–9 +linked +5000 +12\.3 +38\.4 +25% +58\.5 GiB +60\.0 GiB +307 MiB\n/,
  );
  assert.match(report, /warn +no multicast was seen in 10 s\n +→ give the addresses/);
  assert.doesNotMatch(report, /no stage/);
});

test('a broken cluster: the reason first, then who is lost, failed or without a stage', () => {
  const report = statusReport(sampleLost(), URL);
  assert.match(report, /: degraded\n {2}! studio-2 was lost; the other nodes lack 41 GiB/);
  assert.match(report, /studio-2 +10–19 +lost/);
  assert.match(report, /studio-3 +20–29 +failed +–/);
  assert.match(report, /studio-4 +no stage +192\.168\.1\.23:7118 +Apple M3 Ultra, 512 GiB/);
});

test('before anything was measured there are dashes, before a plan a sentence', () => {
  assert.match(
    statusReport(sampleDeploying(), URL),
    /studio-3 +20–29 +linked +5002 +– +– +– +58\.5 GiB +– +–/,
  );
  const report = statusReport(sampleStarting(), URL);
  assert.match(report, /model +none yet/);
  assert.match(report, /No stages yet\./);
  assert.match(report, /studio-1 +no stage/);
});
