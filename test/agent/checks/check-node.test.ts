// A whole check: of a Mac that answers as a real one would, and of machines that have none of its commands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkNode } from '../../../agent/checks/check-node.ts';
import { gatherFacts } from '../../../agent/facts/gather.ts';
import { factsOfMac } from '../../../agent/facts/mac/assemble.ts';
import { NodeCheck } from '../../../protocol/doctor.ts';
import { FakeMac } from '../../support/fake-mac.ts';
import { tempHome } from '../../support/temp-home.ts';

test('a Mac whose firewall blocks node, whose disk is encrypted, and whose daemon is from somebody else', async () => {
  const home = tempHome();
  const mac = new FakeMac(1, { firewall: { state: 1, apps: { [process.execPath]: false } } });
  mac.files.set('/Library/LaunchDaemons/org.espalier.wired-limit.plist', '<plist>older</plist>');
  const ask = (argv: readonly string[]) =>
    argv[0] === '/usr/bin/fdesetup' ? Promise.resolve('FileVault is On.\n') : mac.ask(argv);
  const check = await checkNode({
    ...{ id: '0123456789abcdef', name: 'studio-1', home, machine: mac.facts(), platform: 'darwin' },
    mac: { ask, textOf: mac.textOf },
  });
  assert.deepEqual(NodeCheck.parse(check), check);
  const ids = check.findings.map(({ id }) => id);
  assert.equal(ids[0], 'firewall-blocks-node');
  assert.ok(ids.includes('filevault-restart'), `${ids}`);
  assert.equal(check.os, 'macOS 26.2 (25C56)');
  const [limit] = check.findings.find(({ id }) => id === 'gpu-limit-low')?.fixes ?? [];
  assert.equal(limit?.files[1]?.text, '<plist>older</plist>', 'what an undo brings back');
});

test('a daemon whose file cannot be read: nothing is proposed, because nobody could bring it back', async () => {
  const mac = new FakeMac(1, { acPower: { sleep: 10 } });
  const textOf = () => Promise.reject(new Error('EACCES'));
  const check = await checkNode({
    ...{ id: '', name: 'studio-1', home: tempHome(), machine: mac.facts(), platform: 'darwin' },
    mac: { ask: mac.ask, textOf },
  });
  assert.ok(check.findings.every(({ fixes }) => fixes.length === 0));
});

test('a Mac without any of these commands, and this machine', async () => {
  const home = tempHome();
  const bare = await checkNode({
    ...{ id: '', name: 'here', home, machine: factsOfMac({ commands: {}, serviceInfo: {} }, null) },
    platform: 'darwin',
    // as it is here, where this is no Mac: no such commands
    ...(process.platform === 'darwin' ? { mac: { ask: async () => '', textOf: async () => null } } : {}),
  });
  assert.ok(bare.findings.every(({ severity, id }) => severity === 'info' || id.startsWith('disk')));
  const here = await checkNode({ id: '', name: 'here', home, machine: await gatherFacts() });
  assert.deepEqual(NodeCheck.parse(here), here);
});
