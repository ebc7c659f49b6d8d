// Every command that is proposed on a Mac, word by word; and each change on a Mac that holds its state: made, it is not
// proposed again; taken back, all is as it was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proposedChanges } from '../../../../agent/checks/changes/proposals.ts';
import { readMac } from '../../../../agent/checks/changes/read-mac.ts';
import { cableAddress } from '../../../../agent/checks/changes/thunderbolt.ts';
import { proposedLimitBytes } from '../../../../agent/checks/changes/wired-limit.ts';
import { formatArgv } from '../../../../protocol/system-change.ts';
import {
  applyChange,
  type ChangeTools,
  undoChange,
} from '../../../../scripts/system-changes/change-system.ts';
import { ChangeJournal } from '../../../../scripts/system-changes/journal.ts';
import { FakeMac, portUuid } from '../../../support/fake-mac.ts';
import { tempHome } from '../../../support/temp-home.ts';

const NODE = '/opt/node/bin/node';

async function proposals(mac: FakeMac, home: string) {
  return proposedChanges({ facts: mac.facts(), ...(await readMac(mac)), home, nodePath: NODE });
}

function toolsOf(mac: FakeMac, home: string): ChangeTools {
  return { journal: new ChangeJournal(home), run: mac.run, canAsk: true };
}

/** The commands of each change by its id, with the home's path cut out. */
async function commands(mac: FakeMac, home = tempHome()) {
  const found = await proposals(mac, home);
  const words = (argvs: readonly (readonly string[])[]) =>
    argvs.map((argv) => formatArgv(argv).replaceAll(home, 'HOME'));
  return Object.fromEntries(
    found.map(({ id, apply, undo }) => [id, { apply: words(apply), undo: words(undo) }]),
  );
}

test('a Mac that is set up as it comes out of its box', async () => {
  const mac = new FakeMac(1, {
    acPower: { sleep: 10, disksleep: 10, displaysleep: 5, womp: 1, autorestart: 0, powernap: 1 },
    firewall: { state: 1 },
  });
  const plist = '/Library/LaunchDaemons/org.espalier.wired-limit.plist';
  assert.deepEqual(await commands(mac), {
    'no-sleep': {
      apply: ['/usr/bin/pmset -c sleep 0'],
      undo: ['/usr/bin/pmset -c sleep 10'],
    },
    'wake-and-restart': {
      apply: ['/usr/bin/pmset -c autorestart 1'],
      undo: ['/usr/bin/pmset -c autorestart 0'],
    },
    'wired-limit': {
      apply: [
        `/usr/bin/install -m 644 -o root -g wheel HOME/system-changes/wired-limit/org.espalier.wired-limit.plist ${plist}`,
        `/bin/launchctl bootstrap system ${plist}`,
      ],
      undo: [
        '/bin/launchctl bootout system/org.espalier.wired-limit',
        `/bin/rm -f ${plist}`,
        '/usr/sbin/sysctl iogpu.wired_limit_mb=0',
      ],
    },
    'firewall-node': {
      apply: [
        `/usr/libexec/ApplicationFirewall/socketfilterfw --add ${NODE}`,
        `/usr/libexec/ApplicationFirewall/socketfilterfw --unblockapp ${NODE}`,
      ],
      undo: [`/usr/libexec/ApplicationFirewall/socketfilterfw --remove ${NODE}`],
    },
  });
});

test('a firewall that blocks everything, and our program in particular', async () => {
  const mac = new FakeMac(1, { firewall: { state: 2, apps: { [NODE]: false } }, wiredLimitMb: 491_520 });
  const tool = '/usr/libexec/ApplicationFirewall/socketfilterfw';
  assert.deepEqual(await commands(mac), {
    'firewall-block-all': { apply: [`${tool} --setblockall off`], undo: [`${tool} --setblockall on`] },
    'firewall-node': { apply: [`${tool} --unblockapp ${NODE}`], undo: [`${tool} --blockapp ${NODE}`] },
  });
});

test('two cables in one bridge: the ports come out of it, and each gets a service', async () => {
  const ports = [
    { number: 2, interface: 'en3', peer: portUuid(2, 1) },
    { number: 3, interface: 'en4', peer: portUuid(3, 1) },
    { number: 4, interface: 'en5' },
  ];
  const mac = new FakeMac(1, { ports, isBridged: true, wiredLimitMb: 491_520 });
  const plist = '/Library/LaunchDaemons/org.espalier.thunderbolt-ports.plist';
  const setup = '/usr/sbin/networksetup';
  assert.deepEqual(await commands(mac), {
    'thunderbolt-bridge': {
      apply: [
        `${setup} -setnetworkserviceenabled 'Thunderbolt Bridge' off`,
        '/sbin/ifconfig bridge0 deletem en3 deletem en4 deletem en5',
        `/usr/bin/install -m 644 -o root -g wheel HOME/system-changes/thunderbolt-bridge/org.espalier.thunderbolt-ports.plist ${plist}`,
        `/bin/launchctl bootstrap system ${plist}`,
      ],
      undo: [
        '/bin/launchctl bootout system/org.espalier.thunderbolt-ports',
        `/bin/rm -f ${plist}`,
        '/sbin/ifconfig bridge0 addm en3 addm en4 addm en5',
        `${setup} -setnetworkserviceenabled 'Thunderbolt Bridge' on`,
      ],
    },
    'address-en3': {
      apply: [
        `${setup} -createnetworkservice 'Espalier Thunderbolt 2' 'Thunderbolt 2'`,
        `${setup} -setv6LinkLocal 'Espalier Thunderbolt 2'`,
      ],
      undo: [`${setup} -removenetworkservice 'Espalier Thunderbolt 2'`],
    },
    'address-en4': {
      apply: [
        `${setup} -createnetworkservice 'Espalier Thunderbolt 3' 'Thunderbolt 3'`,
        `${setup} -setv6LinkLocal 'Espalier Thunderbolt 3'`,
      ],
      undo: [`${setup} -removenetworkservice 'Espalier Thunderbolt 3'`],
    },
  });
});

test('one cable in the bridge is left as it is', async () => {
  const ports = [{ number: 2, interface: 'en3', peer: portUuid(2, 1) }];
  const mac = new FakeMac(1, { ports, isBridged: true, wiredLimitMb: 491_520 });
  assert.deepEqual(await commands(mac), {});
});

test('RDMA that is on needs an IPv4 address on each cable; both ends come to the same subnet', async () => {
  const mac = new FakeMac(1, {
    ports: [{ number: 2, interface: 'en3', peer: portUuid(2, 1) }],
    rdma: 'enabled',
    wiredLimitMb: 491_520,
  });
  const { 'address-en3': change } = await commands(mac);
  const [own, peer] = [portUuid(1, 2), portUuid(2, 1)];
  const here = cableAddress(own, peer);
  const there = cableAddress(peer, own.toLowerCase());
  assert.deepEqual(change, {
    apply: [`/usr/sbin/networksetup -setmanual 'Thunderbolt 2' ${here.address} 255.255.255.252`],
    undo: ["/usr/sbin/networksetup -setdhcp 'Thunderbolt 2'"],
  });
  const [a = [], b = []] = [here, there].map(({ address }) => address.split('.').map(Number));
  assert.deepEqual(a.slice(0, 3), b.slice(0, 3));
  assert.equal((a[3] ?? 0) >> 2, (b[3] ?? 0) >> 2);
  assert.deepEqual([(a[3] ?? 0) & 3, (b[3] ?? 0) & 3].sort(), [1, 2]);
});

test('what is proposed, made, and taken back in reverse order leaves the Mac as it was', async () => {
  const home = tempHome();
  const mac = new FakeMac(1, {
    acPower: { sleep: 1, disksleep: 10, womp: 0, autorestart: 0 },
    firewall: { state: 2, apps: { '/usr/bin/python3': false } },
    ports: [
      { number: 1, interface: 'en2', peer: portUuid(2, 1) },
      { number: 2, interface: 'en3', peer: portUuid(3, 1) },
    ],
    isBridged: true,
    rdma: 'enabled',
    wiredLimitMb: 400_000,
  });
  // of another program, at our place
  mac.files.set('/Library/LaunchDaemons/org.espalier.wired-limit.plist', '<plist>older</plist>');
  const before = mac.state;
  const tools = toolsOf(mac, home);
  const changes = await proposals(mac, home);
  assert.equal(changes.length, 8);
  for (const change of changes) await applyChange(change, tools);
  assert.equal(mac.sysctl.get('iogpu.wired_limit_mb'), 491_520);
  assert.deepEqual(mac.bridgeMembers, []);
  assert.equal(mac.firewall.state, 1);
  assert.deepEqual(await proposals(mac, home), []);
  assert.equal(tools.journal.read().length, 8);

  for (const record of tools.journal.read().reverse()) await undoChange(record, tools);
  assert.deepEqual(mac.state, before);
  assert.deepEqual(tools.journal.read(), []);
});

test('a change that is made anew keeps the undo of the first time', async () => {
  const home = tempHome();
  const mac = new FakeMac(1, { wiredLimitMb: 400_000 });
  const path = '/Library/LaunchDaemons/org.espalier.wired-limit.plist';
  mac.files.set(path, '<plist>older</plist>');
  const before = mac.state;
  const tools = toolsOf(mac, home);
  for (const change of await proposals(mac, home)) await applyChange(change, tools);
  // somebody lowers it by hand: it is proposed, and made, again
  mac.sysctl.set('iogpu.wired_limit_mb', 1_000);
  const again = await proposals(mac, home);
  assert.deepEqual(
    again.map(({ id }) => id),
    ['wired-limit'],
  );
  for (const change of again) await applyChange(change, tools);
  const records = tools.journal.read();
  assert.equal(records.length, 1);
  for (const record of records) await undoChange(record, tools);
  assert.deepEqual(mac.state, before);
});

test('what is left to macOS: 8 GiB, and of large memories a sixteenth', () => {
  const gib = 1024 ** 3;
  const left = (memory: number) => memory - proposedLimitBytes(memory * gib) / gib;
  assert.deepEqual([16, 64, 128, 192, 512].map(left), [8, 8, 8, 12, 32]);
});
