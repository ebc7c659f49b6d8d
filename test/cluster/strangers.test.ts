// A stranger in the network, against real processes that answer: he is refused, the logs stay short, nothing grows, and the
// streams do not notice.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { holderOf } from '../../protocol/home-lock.ts';
import { ClusterStatus, STATUS_PATH } from '../../protocol/status.ts';
import { type Service, startService } from '../../scripts/demo/child.ts';
import { endInOrder } from '../../scripts/demo/end-in-order.ts';
import { pairHomes } from '../../scripts/pair-homes.ts';
import { newIdentity } from '../support/identities.ts';
import { cliFile, demoModelDir } from '../support/paths.ts';
import { referenceCases } from '../support/reference.ts';
import {
  STRANGER_ADDRESS,
  sayGarbage,
  sayItSlowly,
  sayMalformedWords,
  sayNonsenseInTls,
  standThere,
} from '../support/strangers.ts';
import { tempHome } from '../support/temp-home.ts';
import { until } from '../support/until.ts';

const AGENTS = 2;
const STREAMS = 4;
/** A process that holds nothing of a thousand strangers: what V8 has not collected yet. */
const MAX_GROWTH_BYTES = 48 * 1024 * 1024;

describe('a stranger', { timeout: 240_000 }, () => {
  const root = tempHome();
  const cluster = `strangers-${process.pid}`;
  const agents: { service: Service; home: string; port: number; logPath: string }[] = [];
  let controller: Service;
  let url = '';

  before(async () => {
    const homes = Array.from({ length: AGENTS }, (_, i) => ({
      name: `node-${i + 1}`,
      home: join(root, `agent-${i}`),
    }));
    await pairHomes(join(root, 'controller'), homes);
    const common = ['--cluster', cluster, '--interface', '127.0.0.1', '--port', '0'];
    for (const { name, home } of homes) {
      const logPath = join(root, `${name}.log`);
      // as on a network: strangers come from other addresses than the controller
      const args = ['agent', '--name', name, '--host', '0.0.0.0', ...common];
      const service = startService({ name, cliPath: cliFile, args, home, logPath });
      const { port } = await service.listening;
      agents.push({ service, home, port, logPath });
    }
    controller = startService({
      name: 'controller',
      cliPath: cliFile,
      args: ['controller', '--model', demoModelDir, '--nodes', String(AGENTS), ...common],
      home: join(root, 'controller'),
      logPath: join(root, 'controller.log'),
    });
    url = (await controller.listening).url ?? assert.fail('the controller has no URL');
    await until(async () => (await status()).state === 'serving', 'a serving cluster');
  });
  after(() => endInOrder([[controller].filter(Boolean), agents.map(({ service }) => service)], 2_000));

  async function status(): Promise<ClusterStatus> {
    return ClusterStatus.parse(await (await fetch(`${url}${STATUS_PATH}`)).json());
  }

  /** The whole stream of an answer, as it was sent. */
  async function stream(index: number): Promise<string> {
    const messages = referenceCases[index]?.messages;
    const body = JSON.stringify({ messages, stream: true, temperature: 0 });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body });
    const text = await response.text();
    assert.match(text, /\[DONE\]\s*$/);
    return text.replaceAll(/"(id|created)":("[^"]*"|\d+)/g, '');
  }

  async function streams(): Promise<string[]> {
    return Promise.all(Array.from({ length: STREAMS }, (_, i) => stream(i)));
  }

  function pidOf(home: string): number {
    return holderOf(home, 'agent') ?? assert.fail('the agent has no home');
  }

  /** Of an agent's process. */
  function held(home: string): { bytes: number; descriptors: number } {
    const pid = pidOf(home);
    const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return { bytes: Number(kib) * 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  }

  async function attack(port: number, rounds: number): Promise<void> {
    const mallory = await newIdentity();
    const target = { port, from: STRANGER_ADDRESS };
    const standing = Array.from({ length: 100 }, () => standThere(target));
    const slow = Array.from({ length: 20 }, () => sayItSlowly(target));
    let next = 0;
    const one = (n: number) => {
      if (n % 4 === 0) return sayMalformedWords(target, mallory, n);
      if (n % 4 === 1) return sayNonsenseInTls(target, n % 8 === 1 ? mallory : undefined);
      return sayGarbage(target, n);
    };
    const go = async () => {
      while (next < rounds) await one(next++);
    };
    await Promise.all(Array.from({ length: 60 }, go));
    await until(
      () => [...standing, ...slow].every(({ destroyed }) => destroyed),
      'the end of the patient ones',
    );
  }

  test('a thousand connections of all kinds change nothing that anybody sees', async (t) => {
    if (process.platform !== 'linux') return t.skip('it looks into /proc');
    const expected = await streams();
    const { epoch } = await status();
    // once before: what is loaded for the first stranger stays
    await Promise.all(agents.map(({ port }) => attack(port, 100)));
    const before = agents.map(({ home }) => held(home));

    let isOver = false;
    const attacks = Promise.all(agents.map(({ port }) => attack(port, 500))).finally(() => {
      isOver = true;
    });
    let answered = 0;
    while (!isOver) {
      assert.deepEqual(await streams(), expected, 'the streams are as without strangers');
      answered += STREAMS;
    }
    await attacks;
    assert.ok(answered > 0);
    const { state, epoch: epochAfter, nodes } = await status();
    assert.deepEqual([state, epochAfter], ['serving', epoch], 'nothing was deployed anew');
    assert.deepEqual(
      nodes.map((node) => node.state),
      nodes.map(() => 'connected'),
    );
    for (const [i, { home, logPath }] of agents.entries()) {
      const was = before[i] ?? assert.fail();
      await until(() => held(home).descriptors <= was.descriptors + 2, 'closed sockets');
      const grown = held(home).bytes - was.bytes;
      assert.ok(grown < MAX_GROWTH_BYTES, `an agent grew by ${grown} bytes`);
      const lines = readFileSync(logPath, 'utf8').split('\n');
      const refusals = lines.filter((line) => /refused|did not get|closed|spoke HTTP/.test(line));
      assert.ok(refusals.length > 0, 'the log tells of it');
      assert.ok(lines.length < 150, `${lines.length} lines of log`);
    }
    assert.deepEqual(await streams(), expected);
  });

  test('a flood does not keep the controller out when it has to come again', async () => {
    const [{ service, port, home } = assert.fail()] = agents;
    assert.ok(service.isAlive());
    let isOver = false;
    const flood = (async () => {
      while (!isOver) {
        const sockets = Array.from({ length: 60 }, () => standThere({ port, from: STRANGER_ADDRESS }));
        await Promise.all([new Promise((resolve) => setTimeout(resolve, 30))]);
        for (const socket of sockets) socket.destroy();
      }
    })();
    try {
      controller.kill('SIGTERM');
      await controller.ended;
      const args = ['controller', '--model', demoModelDir, '--nodes', String(AGENTS), '--port', '0'];
      controller = startService({
        name: 'controller',
        cliPath: cliFile,
        args: [...args, '--cluster', cluster, '--interface', '127.0.0.1'],
        home: join(root, 'controller'),
        logPath: join(root, 'controller-2.log'),
      });
      url = (await controller.listening).url ?? assert.fail('the controller has no URL');
      await until(async () => (await status()).state === 'serving', 'a serving cluster');
    } finally {
      isOver = true;
      await flood;
    }
    assert.ok(pidOf(home) > 0);
  });
});
