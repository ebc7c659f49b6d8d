// `espalier doctor` as a process: this machine, a cluster behind an API, and --fix with commands that only touch a file.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { checkNode } from '../../../agent/checks/check-node.ts';
import { DOCTOR_PATH, type DoctorReport, type Finding } from '../../../protocol/doctor.ts';
import { finding } from '../../../protocol/doctor-findings.ts';
import { commandLine } from '../../../scripts/cli/doctor/doctor-report.ts';
import { mend } from '../../../scripts/cli/doctor/mend.ts';
import { undoChanges } from '../../../scripts/setup-steps/undo-changes.ts';
import { ChangeJournal } from '../../../scripts/system-changes/journal.ts';
import { runArgv } from '../../../scripts/system-changes/run-argv.ts';
import { FakeMac } from '../../support/fake-mac.ts';
import { run } from './run.ts';

let home = '';
before(() => {
  home = mkdtempSync(join(tmpdir(), 'espalier-doctor-'));
});
after(() => rmSync(home, { recursive: true, force: true }));

const sleeps = finding('sleeps', {
  node: 'studio-2',
  seen: 'it sleeps after 10 minutes of idleness\u001b[31m',
  remedy: 'Switch its sleep off.',
  fixes: [
    {
      id: 'no-sleep',
      description: 'never sleep',
      why: 'it leaves',
      files: [],
      apply: [['pmset', '-c', 'sleep', '0']],
      undo: [['pmset', '-c', 'sleep', '10']],
      needsRoot: true,
      safe: true,
    },
  ],
});

function report(findings: Finding[]): DoctorReport {
  const versions = { espalierVersion: '0.1.0', nodeVersion: '26.0.0', protocol: 5 };
  const node = {
    id: 'fedcba9876543210',
    name: 'studio-2',
    at: 0,
    ...versions,
    os: 'macOS 26.2 (25C56)',
    rdma: [],
  };
  return { at: 0, ...versions, nodes: [{ ...node, findings }], findings: [] };
}

describe('the command', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function serve(body: DoctorReport): Promise<string> {
    const listening = createServer(({ url }, response) => {
      response.writeHead(url === DOCTOR_PATH ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
    server = listening;
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(listening.address() as { port: number }).port}`;
  }

  test('--local looks at this machine, makes nothing in the home, and knows no cluster', async () => {
    const { code, stdout } = await run(['doctor', '--local', '--json'], { env: { ESPALIER_HOME: home } });
    const examined = JSON.parse(stdout);
    assert.equal(examined.cluster, null);
    assert.equal(examined.trouble, null);
    assert.equal(examined.local.espalierVersion, '0.1.0');
    assert.equal(code, examined.findings.some(({ severity }: Finding) => severity !== 'info') ? 4 : 0);
    assert.ok(!existsSync(join(home, 'agent.pem')));
  });

  test('a warning on another node: exit code 4, its exact command, and nothing that a terminal would obey', async () => {
    const url = await serve(report([sleeps]));
    const { code, stdout } = await run(['doctor', '--controller', url], { env: { ESPALIER_HOME: home } });
    assert.equal(code, 4);
    assert.match(stdout, /studio-2 {2}macOS 26\.2/);
    assert.match(stdout, /! sleeps \(studio-2\): it sleeps after 10 minutes/);
    assert.match(stdout, /\n +sudo pmset -c sleep 0\n/);
    assert.ok(!stdout.includes('\u001b'));
  });

  test('without a controller this machine is checked all the same, and the output says why only it', async () => {
    const { stdout } = await run(['doctor', '--controller', 'http://127.0.0.1:9'], {
      env: { ESPALIER_HOME: home },
    });
    assert.match(stdout, /\(this machine\)/);
    assert.match(stdout, /The other nodes were not checked: no controller answers/);
  });

  test('--fix never takes a command from a controller', async () => {
    const touched = join(home, 'from-afar');
    const evil = { ...sleeps, fixes: sleeps.fixes.map((fix) => ({ ...fix, apply: [['touch', touched]] })) };
    const url = await serve(report([evil]));
    await run(['doctor', '--fix', '--yes', '--controller', url], { env: { ESPALIER_HOME: home } });
    assert.ok(!existsSync(touched));
  });
});

describe('--fix', () => {
  const touch = (id: string, { safe = true, fails = false } = {}): Finding => ({
    ...sleeps,
    fixes: [
      {
        ...{ id, description: `touch ${id}`, why: 'the test wants it', needsRoot: false, safe },
        files: [{ path: join(home, `${id}.staged`), text: id }],
        apply: [fails ? ['false'] : ['cp', '-n', join(home, `${id}.staged`), join(home, id)]],
        undo: [['rm', join(home, id)]],
      },
    ],
  });
  const tools = () => ({ journal: new ChangeJournal(home), run: runArgv, canAsk: false });

  test('makes what is safe, each change once, and has it recorded as the wizard does', async () => {
    const findings = [
      touch('safe'),
      touch('safe'),
      touch('unsafe', { safe: false }),
      touch('failing', { fails: true }),
    ];
    assert.equal(await mend(findings, tools(), false), false);
    assert.equal(readFileSync(join(home, 'safe'), 'utf8'), 'safe');
    assert.ok(!existsSync(join(home, 'unsafe')));
    const records = tools().journal.read();
    assert.equal(records.length, 1, 'what failed changed nothing, and is not recorded');
    const { time, ...change } = records[0] ?? {};
    assert.ok(Date.parse(time ?? '') > 0);
    assert.deepEqual(change, {
      id: 'safe',
      description: 'touch safe',
      needsRoot: false,
      apply: [['cp', '-n', join(home, 'safe.staged'), join(home, 'safe')]],
      undo: [['rm', join(home, 'safe')]],
    });
  });

  test('asks first, and does nothing where nobody can be asked', async () => {
    await assert.rejects(mend([touch('unasked')], tools(), true), /add --yes/);
    assert.ok(!existsSync(join(home, 'unasked')));
  });

  test('what it does, `setup --undo` takes back: doctor and the wizard make the same changes', async () => {
    const own = join(home, 'of-a-mac');
    const mac = new FakeMac(1, { acPower: { sleep: 10, womp: 0 }, firewall: { state: 1 } });
    const before = mac.state;
    const check = async () =>
      (await checkNode({ id: '', name: 'a', home: own, machine: mac.facts(), platform: 'darwin', mac }))
        .findings;
    const journal = new ChangeJournal(own);
    const macTools = { journal, run: mac.run, canAsk: true, home: own, platform: 'darwin' };
    assert.ok(await mend(await check(), macTools, false));
    const made = journal.read().map(({ id }) => id);
    assert.deepEqual(
      made,
      ['no-sleep', 'wired-limit', 'wake-and-restart'],
      'the firewall is left to a person',
    );
    await undoChanges(macTools, true);
    assert.deepEqual(mac.state, before);
  });
});

test('a command as one would type it', () => {
  const argv = ['networksetup', '-setv6automatic', "Jo's Bridge"];
  assert.equal(
    commandLine(argv, { needsRoot: true }),
    String.raw`sudo networksetup -setv6automatic 'Jo'\''s Bridge'`,
  );
});
