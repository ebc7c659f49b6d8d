import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsOfMac } from '../../../agent/facts/mac/assemble.ts';
import { MachineFacts } from '../../../protocol/facts.ts';
import { factsReport } from '../../../scripts/cli/facts-report.ts';
import { studioAnswers } from '../../agent/facts/support.ts';
import { run } from './run.ts';

test('a Mac: machine, interfaces, cables with the Macs behind them, RDMA', () => {
  const report = factsReport(factsOfMac(studioAnswers(), null));
  assert.match(
    report,
    /^model +Mac Studio \(Mac16,9\)\nchip +Apple M4 Max\ncores +12 performance, 4 efficiency, 40 GPU\n/,
  );
  assert.match(report, /GPU limit +120 GiB \(sysctl: iogpu\.wired_limit_mb is set/);
  assert.match(report, /power +from the mains, never sleeps, starts after a power failure/);
  assert.match(
    report,
    /en2 +thunderbolt +Thunderbolt 1 +active +– +1500 +fe80::e5:b0ff:fe00:2%en2\/64 10\.75\.1\.1\/30/,
  );
  assert.match(report, /bridge0 .* 169\.254\.18\.7\/16 joins en3 en6 en5/);
  assert.match(report, /Thunderbolt 1 +en2 +80 Gb\/s +Mac Studio \(Mac16,9\) with RDMA/);
  assert.match(report, /Thunderbolt 2 +en3 +40 Gb\/s +no Mac/);
  assert.match(report, /Thunderbolt 3 +en6 +40 Gb\/s +MacBook Pro \(Mac16,5\) through Lattice Dock 4/);
  assert.match(report, /Thunderbolt 4 +en5 +none \(up to 120 Gb\/s\)/);
  assert.match(report, /RDMA: enabled\ndevice +port +IPv4 GID\nrdma_en2 +active +yes/);
  assert.doesNotMatch(report, /Notes/);
});

test('nothing known: dashes and notes, and nothing that a terminal obeys', () => {
  const facts = factsOfMac(
    { commands: { swVers: { text: '', problem: 'there is no such command here' } }, serviceInfo: {} },
    null,
  );
  const report = factsReport({ ...facts, chip: 'evil\u001b[2J' });
  assert.match(report, /model +–\nchip +evil\n/);
  assert.match(report, /No network interfaces\./);
  assert.match(report, /Notes\n {2}sw_vers: there is no such command here/);
});

test('espalier facts: a table, and with --json the record', async () => {
  const table = await run(['facts']);
  assert.deepEqual([table.code, table.stderr], [0, '']);
  assert.match(table.stdout, /\nmemory +\d/);
  const json = await run(['facts', '--json']);
  assert.equal(json.code, 0);
  assert.ok(MachineFacts.safeParse(JSON.parse(json.stdout)).success);
});
