// A check with real processes: commands that answer as macOS's would, and a machine that has none of them.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { checkNode } from '../../../agent/checks/check-node.ts';
import { gatherFacts } from '../../../agent/facts/gather.ts';
import { factsOfMac } from '../../../agent/facts/mac/assemble.ts';
import { NodeCheck } from '../../../protocol/doctor.ts';
import { studioAnswers } from '../facts/support.ts';

let folder = '';
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function command(name: string, body: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

test('a Mac whose firewall blocks node, and whose disk is encrypted', async () => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-check-'));
  const firewallCommand = command(
    'socketfilterfw',
    `case "$1" in
  --getglobalstate) echo 'Firewall is enabled. (State = 1)';;
  --getappblocked) test "$2" = '${process.execPath}' && echo 'Incoming connection to the application is blocked';;
esac`,
  );
  command('fdesetup', "echo 'FileVault is On.'");
  command('arp', 'exit 1');
  const check = await checkNode({
    ...{ id: '0123456789abcdef', name: 'studio-1', home: join(folder, 'not', 'there') },
    ...{
      machine: factsOfMac(studioAnswers(), null),
      platform: 'darwin',
      searchPath: folder,
      firewallCommand,
    },
  });
  assert.deepEqual(NodeCheck.parse(check), check);
  const ids = check.findings.map(({ id }) => id);
  assert.equal(ids[0], 'firewall-blocks-node');
  assert.ok(ids.includes('filevault-restart'), `${ids}`);
  assert.equal(check.os, 'macOS 26.4 (25E100)');
});

test('a Mac without any of these commands, and this machine', async () => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-check-'));
  const base = { id: '', name: 'here', home: folder };
  const bare = await checkNode({
    ...{ ...base, machine: factsOfMac({ commands: {}, serviceInfo: {} }, null), platform: 'darwin' },
    ...{ searchPath: folder, firewallCommand: join(folder, 'none') },
  });
  assert.ok(bare.findings.every(({ severity, id }) => severity === 'info' || id.startsWith('disk')));
  const here = await checkNode({ ...base, machine: await gatherFacts() });
  assert.deepEqual(NodeCheck.parse(here), here);
});
