// `espalier doctor` as a process: this machine, a cluster behind an API, and --fix with commands that only touch a file.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { DOCTOR_PATH, type DoctorReport, type Finding } from '../../../protocol/doctor.ts';
import { finding } from '../../../protocol/doctor-findings.ts';
import { commandLine } from '../../../scripts/cli/doctor/doctor-report.ts';
import { mend } from '../../../scripts/cli/doctor/mend.ts';
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
  fix: {
    description: 'Never sleeps.',
    apply: [['pmset', '-c', 'sleep', '0']],
    undo: [['pmset', '-c', 'sleep', '10']],
    needsRoot: true,
    safe: true,
  },
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
    const evil = {
      ...sleeps,
      fix: { ...(sleeps.fix as NonNullable<Finding['fix']>), apply: [['touch', touched]] },
    };
    const url = await serve(report([evil]));
    await run(['doctor', '--fix', '--yes', '--controller', url], { env: { ESPALIER_HOME: home } });
    assert.ok(!existsSync(touched));
  });
});

describe('--fix', () => {
  const touch = (name: string, { safe = true, fails = false } = {}): Finding => ({
    ...sleeps,
    // another finding: of one that is mended already the first record stays
    id: fails ? 'no-restart' : sleeps.id,
    fix: {
      description: `Touches ${name}.`,
      apply: [fails ? ['false'] : ['touch', join(home, name)]],
      undo: [['rm', join(home, name)]],
      needsRoot: false,
      safe,
    },
  });

  test('does what is safe, and writes down how to undo it', async () => {
    const findings = [touch('safe'), touch('unsafe', { safe: false }), touch('failing', { fails: true })];
    assert.equal(await mend(findings, { home, isAsked: false }), false);
    assert.ok(existsSync(join(home, 'safe')));
    assert.ok(!existsSync(join(home, 'unsafe')));
    const journal = readFileSync(join(home, 'system-changes.jsonl'), 'utf8').trim().split('\n');
    assert.equal(journal.length, 1, 'what failed changed nothing, and is not recorded');
    const { time, ...change } = JSON.parse(journal[0] ?? '');
    assert.ok(Date.parse(time) > 0);
    assert.deepEqual(change, {
      id: 'sleeps',
      description: `Touches safe.`,
      needsRoot: false,
      apply: [['touch', join(home, 'safe')]],
      undo: [['rm', join(home, 'safe')]],
    });
  });

  test('asks first, and does nothing where nobody can be asked', async () => {
    await assert.rejects(mend([touch('unasked')], { home, isAsked: true }), /add --yes/);
    assert.ok(!existsSync(join(home, 'unasked')));
  });
});

test('a command as one would type it', () => {
  const argv = ['networksetup', '-setv6automatic', "Jo's Bridge"];
  assert.equal(
    commandLine(argv, { needsRoot: true }),
    String.raw`sudo networksetup -setv6automatic 'Jo'\''s Bridge'`,
  );
});
