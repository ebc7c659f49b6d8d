// Gathering with real processes: commands that answer as macOS's would, and commands that are not there, fail, hang or
// never stop talking. And the files of a Linux machine, this one's and one that never was.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { FactsGatherer, gatherFacts } from '../../../agent/facts/gather.ts';
import { factsOfMac } from '../../../agent/facts/mac/assemble.ts';
import { MAC_COMMANDS, type MacCommand } from '../../../agent/facts/mac/commands.ts';
import { runCommand } from '../../../agent/facts/run-command.ts';
import { MAX_OUTPUT_CHARS } from '../../../agent/facts/text.ts';
import { MachineFacts } from '../../../protocol/facts.ts';
import { fixturesDir } from '../../support/paths.ts';
import { macCommandNames, studioAnswers } from './support.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-facts-'));
  folders.push(folder);
  return folder;
}

function script(folder: string, name: string, body: string): void {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
}

/** Commands that print the studio's outputs, and note in `asked` that they were called. */
function studioCommands(): { searchPath: string; asked: () => string[] } {
  const folder = scratch();
  const log = join(folder, 'asked.log');
  writeFileSync(log, '');
  const bodies = new Map<string, string[]>();
  for (const name of macCommandNames) {
    const { file, args }: MacCommand = MAC_COMMANDS[name];
    const output = join(fixturesDir, 'macos/studio', `${name}.txt`);
    const lines = bodies.get(file) ?? [
      `echo "$(basename "$0") $*" >> '${log}'`,
      'test "$LC_ALL" = C || exit 9',
    ];
    lines.push(`if [ "$*" = '${args.join(' ')}' ]; then exec /bin/cat '${output}'; fi`);
    bodies.set(file, lines);
  }
  const info = join(fixturesDir, 'macos/studio/serviceInfo.txt');
  bodies
    .get('networksetup')
    ?.push(`if [ "$*" = '-getinfo Cable to studio-2' ]; then exec /bin/cat '${info}'; fi`);
  for (const [name, lines] of bodies)
    script(folder, name, [...lines, 'echo "unknown: $*" >&2; exit 64'].join('\n'));
  return {
    searchPath: `${folder}:/usr/bin:/bin`,
    asked: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
  };
}

describe('the commands of a Mac', () => {
  test('what they print becomes the record, service methods included', async () => {
    const { searchPath } = studioCommands();
    const facts = await gatherFacts({ platform: 'darwin', searchPath });
    assert.deepEqual(facts, factsOfMac(studioAnswers(), null));
  });

  test('each depth asks for what it must and no more; what was known stays', async () => {
    const { searchPath, asked } = studioCommands();
    const gatherer = new FactsGatherer({
      platform: 'darwin',
      searchPath,
      measuredGpuLimitBytes: () => 123_456_789_012,
    });
    const first = await gatherer.gather('all');
    assert.equal(first.gpuMemoryLimit?.source, 'measured');
    const all = asked().length;
    // every command, and -getinfo of one service
    assert.equal(all, macCommandNames.length + 1);
    assert.deepEqual(await gatherer.gather('load'), first);
    const load = asked().slice(all);
    assert.deepEqual(load.map((line) => line.split(' ')[0]).sort(), [
      'ioreg',
      'memory_pressure',
      'netstat',
      'sysctl',
      'vm_stat',
    ]);
    assert.deepEqual(await gatherer.gather('links'), first);
    const links = asked().slice(all + load.length);
    assert.ok(links.includes('ifconfig -v'));
    assert.ok(!links.some((line) => line.startsWith('system_profiler')));
  });

  test('nothing there: every field is empty, and the notes say which commands are missing', async () => {
    const facts = MachineFacts.parse(await gatherFacts({ platform: 'darwin', searchPath: scratch() }));
    assert.equal(facts.modelIdentifier, null);
    assert.equal(facts.gpuMemoryLimit, null);
    assert.deepEqual([facts.interfaces, facts.thunderboltPorts], [[], []]);
    const missing = facts.notes
      .filter(({ text }) => text === 'there is no such command here')
      .map(({ source }) => source);
    assert.ok(missing.includes('ifconfig -v'));
    assert.ok(missing.includes('system_profiler -json SPThunderboltDataType'));
    assert.ok(!missing.some((source) => source.startsWith('rdma_ctl')));
  });

  test('what is not there, or is a stranger that fails, is not called again and again', async () => {
    const { searchPath, asked } = studioCommands();
    const folder = searchPath.split(':')[0] ?? '';
    script(folder, 'macmon', `echo "macmon $*" >> '${folder}/asked.log'; exit 1`);
    rmSync(join(folder, 'ibv_devinfo'));
    const gatherer = new FactsGatherer({ platform: 'darwin', searchPath });
    const { load, notes } = await gatherer.gather('all');
    assert.equal(load.watts, null);
    assert.deepEqual(notes, [{ source: 'macmon pipe -s', text: 'it ended with code 1' }]);
    await gatherer.gather('links');
    const calls = () => asked().filter((line) => line.startsWith('macmon')).length;
    assert.equal(calls(), 1);
    await gatherer.gather('all');
    assert.equal(calls(), 2);
  });
});

describe('one command', () => {
  const run = (body: string, timeoutMs = 20_000) => {
    return runCommand({ file: '/bin/sh', args: ['-c', body], timeoutMs }, '/usr/bin:/bin');
  };

  test('what it printed and how it failed', async () => {
    assert.deepEqual(await run('echo hello'), { text: 'hello\n' });
    assert.deepEqual(await run('echo half; echo "no such key" >&2; exit 3'), {
      text: 'half\n',
      problem: 'it ended with code 3: no such key',
    });
    assert.deepEqual(await run('kill -SEGV $$'), { text: '', problem: 'it ended with SIGSEGV' });
  });

  test('one that hangs is ended, what it had printed counts', async () => {
    const answer = await run("trap '' TERM INT HUP; echo half; while :; do sleep 1; done", 300);
    assert.deepEqual(answer, { text: 'half\n', problem: 'it did not end within 0.3 s' });
  });

  test('one whose child holds on to the output is not waited for', async () => {
    const answer = await run('echo done; sleep 20 & exit 0', 300);
    assert.equal(answer.text, 'done\n');
    assert.match(answer.problem ?? '', /did not end/);
  });

  test('one that never stops talking is cut off', async () => {
    const { text, problem } = await run('yes espalier');
    assert.equal(text.length, MAX_OUTPUT_CHARS);
    assert.equal(problem, 'it printed more than is read');
  });

  test('one that is stopped from outside ends at once', async () => {
    const abort = new AbortController();
    const answer = runCommand({ file: '/bin/sleep', args: ['60'], timeoutMs: 60_000 }, '/bin', abort.signal);
    abort.abort();
    assert.match((await answer).problem ?? '', /^it ended with/);
  });
});

describe('Linux', () => {
  test('a laptop that never was', async () => {
    const root = scratch();
    const files: Record<string, string> = {
      'proc/cpuinfo':
        'processor\t: 0\nvendor_id\t: X\nmodel name\t: Trellis CPU @ 2.00GHz\n\nprocessor\t: 1\nmodel name\t: Trellis CPU\n',
      'proc/meminfo':
        'MemTotal:       16384000 kB\nMemFree:         100000 kB\nMemAvailable:    8192000 kB\n',
      'etc/os-release': 'PRETTY_NAME="Trellis 7"\nNAME="Trellis Linux"\nVERSION_ID="7"\n',
      'proc/sys/kernel/osrelease': '6.1.0-trellis\n',
      'sys/class/dmi/id/product_name': 'Lattice Book 3\n',
      'proc/net/route':
        'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n' +
        'wlan0\t00000000\t0107A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n' +
        'wlan0\t0007A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0\n' +
        'wlan0\t0907A8C0\t00000000\t0005\t0\t0\t600\tFFFFFFFF\t0\t0\t0\n',
      'sys/class/net/wlan0/mtu': '1500\n',
      'sys/class/net/wlan0/flags': '0x1003\n',
      'sys/class/net/wlan0/operstate': 'up\n',
      'sys/class/net/wlan0/type': '1\n',
      'sys/class/net/wlan0/uevent': 'DEVTYPE=wlan\nINTERFACE=wlan0\nIFINDEX=3\n',
      'sys/class/net/wlan0/statistics/rx_bytes': '1234567\n',
      'sys/class/net/wlan0/statistics/tx_bytes': '7654321\n',
      'sys/class/net/thunderbolt0/flags': '0x1002\n',
      'sys/class/net/thunderbolt0/operstate': 'down\n',
      'sys/class/net/thunderbolt0/type': '1\n',
      'sys/class/net/thunderbolt0/speed': '20000\n',
      'sys/class/net/br0/bridge/bridge_id': '8000.0\n',
      'sys/class/net/br0/brif/thunderbolt0/priority': '32\n',
      'sys/class/net/br0/flags': '0x1003\n',
      'sys/class/power_supply/AC/type': 'Mains\n',
      'sys/class/power_supply/AC/online': '0\n',
      'sys/class/power_supply/BAT0/type': 'Battery\n',
      'sys/class/power_supply/BAT0/status': 'Discharging\n',
      'sys/class/power_supply/BAT0/power_now': '12500000\n',
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const facts = MachineFacts.parse(await gatherFacts({ platform: 'linux', root }));
    assert.deepEqual(
      [facts.chip, facts.modelName, facts.memoryBytes, facts.load.memoryAvailableBytes, facts.load.watts],
      ['Trellis CPU @ 2.00GHz', 'Lattice Book 3', 16_384_000 * 1024, 8_192_000 * 1024, 12.5],
    );
    assert.deepEqual(facts.os, { name: 'Trellis Linux', version: '7', build: '6.1.0-trellis' });
    assert.equal(facts.power?.source, 'battery');
    assert.deepEqual(
      facts.interfaces.map(({ name, kind, up, active, mtu, linkGbps, members }) => {
        return [name, kind, up, active, mtu, linkGbps, members];
      }),
      [
        ['br0', 'bridge', true, null, null, null, ['thunderbolt0']],
        ['thunderbolt0', 'thunderbolt', false, false, null, 20, []],
        ['wlan0', 'wifi', true, true, 1500, null, []],
      ],
    );
    assert.deepEqual(facts.load.traffic, [
      { interface: 'wlan0', receivedBytes: 1_234_567, sentBytes: 7_654_321 },
    ]);
    assert.deepEqual(
      facts.routes.map(({ destination, gateway }) => [destination, gateway]),
      [
        ['default', '192.168.7.1'],
        ['192.168.7.0/24', null],
      ],
    );
    assert.deepEqual(facts.notes, []);
  });

  test('a machine without any of these files', async () => {
    const facts = MachineFacts.parse(await gatherFacts({ platform: 'linux', root: scratch() }));
    assert.deepEqual([facts.chip, facts.memoryBytes, facts.interfaces], [null, null, []]);
    assert.deepEqual(facts.notes.map((note) => note.source).sort(), [
      '/etc/os-release',
      '/proc/cpuinfo',
      '/proc/meminfo',
      '/proc/net/route',
    ]);
  });

  test('this machine', { skip: platform() === 'linux' ? false : 'it is no Linux machine' }, async () => {
    const facts = MachineFacts.parse(await gatherFacts());
    assert.ok((facts.memoryBytes ?? 0) > 0);
    assert.ok((facts.load.memoryAvailableBytes ?? 0) <= (facts.memoryBytes ?? 0));
    const loopback = facts.interfaces.find((entry) => entry.kind === 'loopback');
    assert.ok(
      loopback?.addresses.some(({ address, prefixLength }) => address === '127.0.0.1' && prefixLength === 8),
    );
  });
});
