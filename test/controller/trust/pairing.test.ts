// Pairing between both real ends: codes, tokens, changed keys, and somebody in between.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import { shownCode } from '../../../agent/trust/code.ts';
import { NodePins } from '../../../controller/trust/node-pins.ts';
import { idOf } from '../../../protocol/identity.ts';
import { formatJoinToken, parseJoinToken } from '../../../protocol/join-token.ts';
import type { HostPort } from '../../../protocol/node.ts';
import { PairingCode } from '../../../protocol/pairing.ts';
import { dialTls, serverTls } from '../../../protocol/tls.ts';
import { newIdentity } from '../../support/identities.ts';
import { AgentEnd, ControllerEnd } from '../../support/two-ends.ts';
import { until } from '../../support/until.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function agentUp(options: Parameters<typeof AgentEnd.up>[0] = {}): Promise<AgentEnd> {
  const agent = await AgentEnd.up(options);
  closers.push(() => agent.down());
  return agent;
}

function codeOf(agent: AgentEnd): string {
  return PairingCode.parse(shownCode(agent.home));
}

function wrongCode(agent: AgentEnd): string {
  return String((Number(codeOf(agent)) + 1) % 1e8).padStart(8, '0');
}

describe('by a code', () => {
  test('both ends pin each other, and still do after a restart', async () => {
    const [agent, controller] = [await agentUp(), await ControllerEnd.up()];
    assert.equal(await controller.meet(agent.at), false);
    const { waiting } = controller.pairing.report();
    assert.deepEqual(
      waiting.map(({ id, name, showsCode }) => [id, name, showsCode]),
      [[agent.identity.id, 'studio-2', true]],
    );
    const paired = await controller.pairing.pairByCode('studio-2', codeOf(agent));
    assert.deepEqual(paired, { id: agent.identity.id, name: 'studio-2' });
    assert.ok(agent.trust.isController(controller.identity.fingerprint));
    assert.ok(controller.pairing.isPaired(agent.identity.fingerprint));
    assert.deepEqual(controller.told, ['studio-2 waits', 'studio-2 paired']);
    assert.equal(shownCode(agent.home), undefined, 'a code serves once');

    agent.down();
    const again = await agentUp({ home: agent.home });
    assert.ok(again.trust.isController(controller.identity.fingerprint));
    assert.ok(NodePins.open(controller.home).has(again.identity.fingerprint));
  });

  test('nobody hurries to a node that does not know yet that it is paired', async () => {
    const [agent, controller] = [await agentUp(), await ControllerEnd.up()];
    await controller.meet(agent.at);
    let knewIt: boolean[] = [];
    controller.whenPaired = () => {
      knewIt = [agent.trust.isPaired, controller.pairing.isPaired(agent.identity.fingerprint)];
    };
    const pairing = controller.pairing.pairByCode('studio-2', codeOf(agent));
    // discovery meets it again and again meanwhile: whoever came to pair with a paired agent would unpair it
    let isOver = false;
    const over = pairing.finally(() => {
      isOver = true;
    });
    const tooEarly: boolean[] = [];
    while (!isOver) {
      if (controller.pairing.isPaired(agent.identity.fingerprint) && !agent.trust.isPaired)
        tooEarly.push(true);
      await controller.meet(agent.at);
    }
    await over;
    assert.deepEqual(tooEarly, []);
    assert.deepEqual(knewIt, [true, true]);
    assert.ok(agent.trust.isController(controller.identity.fingerprint));
  });

  test('a conversation that is only slow ends before the next one begins', async () => {
    const [agent, controller] = [await agentUp(), await ControllerEnd.up()];
    const meeting = controller.meet(agent.at);
    assert.equal(await controller.meet(agent.at), false);
    await meeting;
    const slow = controller.meet(agent.at);
    await controller.pairing.pairByCode('studio-2', codeOf(agent));
    await slow;
    assert.ok(agent.trust.isController(controller.identity.fingerprint));
  });

  test('wrong codes are counted, the sixth try waits, and the code is another one', async () => {
    const [agent, controller] = [await agentUp(), await ControllerEnd.up()];
    await controller.meet(agent.at);
    const first = codeOf(agent);
    for (let left = 4; left >= 1; left--) {
      await assert.rejects(controller.pairing.pairByCode('studio-2', wrongCode(agent)), {
        code: 'pairing_code_wrong',
        message: new RegExp(`${left} more may be wrong`),
      });
    }
    assert.equal(codeOf(agent), first);
    await assert.rejects(controller.pairing.pairByCode('studio-2', wrongCode(agent)), {
      code: 'pairing_code_wrong',
      message: /listens again in (30|29) s/,
    });
    assert.notEqual(codeOf(agent), first);
    await assert.rejects(controller.pairing.pairByCode('studio-2', codeOf(agent)), { code: 'pairing_wait' });
    agent.down();
    const again = await agentUp({ home: agent.home });
    await controller.meet(again.at);
    await assert.rejects(controller.pairing.pairByCode('studio-2', codeOf(again)), { code: 'pairing_wait' });
    assert.equal(again.trust.isPaired, false);
    assert.deepEqual(controller.pairing.report().paired, []);
  });

  test('many tries at once have no more tries than one after the other', async () => {
    const agent = await agentUp();
    const controllers = await Promise.all(Array.from({ length: 12 }, () => ControllerEnd.up()));
    // two at a time from one address: these all come from it
    const outcomes: string[] = [];
    for (let i = 0; i < controllers.length; i += 2) {
      await Promise.all(
        controllers.slice(i, i + 2).map(async (controller) => {
          try {
            await controller.meet(agent.at);
            await controller.pairing.pairByCode('studio-2', wrongCode(agent));
          } catch (error) {
            outcomes.push((error as { code?: string }).code ?? 'none');
          }
        }),
      );
    }
    assert.equal(outcomes.length, 12);
    assert.equal(outcomes.filter((code) => code === 'pairing_code_wrong').length, 5);
  });

  test('a second controller is told who was first', async () => {
    const agent = await agentUp();
    const [first, second] = [await ControllerEnd.up(), await ControllerEnd.up()];
    await Promise.all([first.meet(agent.at), second.meet(agent.at)]);
    await first.pairing.pairByCode('studio-2', codeOf(agent));
    await assert.rejects(second.pairing.pairByCode('studio-2', '12345678'), {
      code: 'paired_elsewhere',
      message: new RegExp(`paired with controller attic \\(${first.identity.id}\\)`),
    });
  });
});

describe('somebody in between', () => {
  /** Ends TLS on both sides with a key of its own, and hands every byte on. */
  async function between(at: HostPort): Promise<HostPort & { id: string }> {
    const mallory = await newIdentity();
    const server = createServer(serverTls(mallory, 3_000), async (toController: TLSSocket) => {
      toController.on('error', () => undefined);
      const { socket: toAgent } = await dialTls(at, mallory, { timeoutMs: 3_000 });
      toController.pipe(toAgent).pipe(toController);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, id: mallory.id };
  }

  test('gets nothing by handing on the right code', async () => {
    const [agent, controller] = [await agentUp(), await ControllerEnd.up()];
    const relay = await between(agent.at);
    await controller.meet(relay);
    const [waiting] = controller.pairing.report().waiting;
    assert.deepEqual([waiting?.id, waiting?.name], [relay.id, 'studio-2'], 'it looks like the node');
    await assert.rejects(controller.pairing.pairByCode('studio-2', codeOf(agent)), {
      code: 'pairing_code_wrong',
    });
    assert.equal(agent.trust.isPaired, false);
    assert.deepEqual(controller.pairing.report().paired, []);
  });

  test('gets nothing by handing on the right token', async () => {
    const controller = await ControllerEnd.up();
    const agent = await agentUp({ token: controller.tokens.create() });
    const relay = await between(agent.at);
    await assert.rejects(controller.meet(relay), { code: 'pairing_failed', message: /another controller/ });
    assert.equal(agent.trust.isPaired, false);
    assert.equal(await controller.meet(agent.at), true, 'and the token still counts for the agent itself');
  });

  test('who claims to be a paired node has another key', async () => {
    const [agent, controller] = [await agentUp(), await ControllerEnd.up()];
    await controller.meet(agent.at);
    await controller.pairing.pairByCode('studio-2', codeOf(agent));
    const mallory = await newIdentity();
    assert.match(
      controller.pairing.impostor(agent.identity.id, mallory.fingerprint) ?? '',
      /says that it is studio-2, but has another key/,
    );
    assert.equal(controller.pairing.impostor(agent.identity.id, agent.identity.fingerprint), undefined);
    assert.equal(controller.pairing.impostor(undefined, mallory.fingerprint), undefined);
  });
});

describe('by a join token', () => {
  test('the controller that made it pairs by itself, once', async () => {
    const controller = await ControllerEnd.up();
    const token = parseJoinToken(formatJoinToken(controller.tokens.create()));
    const agent = await agentUp({ token });
    assert.equal(shownCode(agent.home), undefined, 'no code is shown that could be guessed');
    assert.equal(await controller.meet(agent.at), true);
    assert.ok(agent.trust.isController(controller.identity.fingerprint));

    const second = await agentUp({ name: 'studio-3', token });
    assert.equal(await controller.meet(second.at), false);
    await until(() => shownCode(second.home) !== undefined, 'a code instead');
    await controller.meet(second.at);
    await controller.pairing.pairByCode('studio-3', codeOf(second));
    assert.ok(second.trust.isPaired);
  });

  test('of two that use one at the same time, one comes in', async () => {
    const controller = await ControllerEnd.up();
    const token = controller.tokens.create();
    const agents = [await agentUp({ name: 'a', token }), await agentUp({ name: 'b', token })];
    const met = await Promise.allSettled(agents.map(({ at }) => controller.meet(at)));
    assert.equal(met.filter((one) => one.status === 'fulfilled' && one.value).length, 1);
    assert.equal(controller.pairing.report().paired.length, 1);
    assert.equal(agents.filter(({ trust }) => trust.isPaired).length, 1);
  });

  test('another controller can do nothing with it, nor end it', async () => {
    const [owner, other] = [await ControllerEnd.up(), await ControllerEnd.up()];
    const agent = await agentUp({ token: owner.tokens.create() });
    assert.equal(await other.meet(agent.at), false);
    await assert.rejects(other.pairing.pairByCode('studio-2', '12345678'), {
      code: 'pairing_failed',
      message: /join token of another controller/,
    });
    assert.equal(await owner.meet(agent.at), true);
  });

  test('a restart with the used token in its environment is none of its business', async () => {
    const [owner, other] = [await ControllerEnd.up(), await ControllerEnd.up()];
    const token = owner.tokens.create();
    const agent = await agentUp({ token });
    await owner.meet(agent.at);
    agent.down();
    const again = await agentUp({ home: agent.home, token });
    assert.ok(again.trust.isController(owner.identity.fingerprint));
    again.down();
    await assert.rejects(AgentEnd.up({ home: agent.home, token: other.tokens.create() }), {
      code: 'paired_elsewhere',
    });
  });
});

describe('a key that is another one', () => {
  test('of a node: a hard stop that says what happened and what to do', async () => {
    const [agent, controller] = [await agentUp(), await ControllerEnd.up()];
    await controller.meet(agent.at);
    await controller.pairing.pairByCode('studio-2', codeOf(agent));
    agent.down();
    const reborn = await agentUp(); // the same name, and a home of its own
    assert.equal(await controller.meet(reborn.at), false);
    assert.match(controller.told.at(-1) ?? '', /calls itself studio-2, but has another key/);
    await assert.rejects(controller.pairing.pairByCode('studio-2', codeOf(reborn)), { code: 'key_changed' });
    assert.equal(reborn.trust.isPaired, false);
    // as it is told: unpair, then pair
    controller.pairing.unpair('studio-2', () => undefined);
    await controller.pairing.pairByCode('studio-2', codeOf(reborn));
    assert.ok(reborn.trust.isPaired);
    assert.deepEqual(
      controller.pairing.report().paired.map(({ id }) => id),
      [reborn.identity.id],
    );
  });

  test('a token does not help a node that has the name of another', async () => {
    const [agent, controller] = [await agentUp(), await ControllerEnd.up()];
    await controller.meet(agent.at);
    await controller.pairing.pairByCode('studio-2', codeOf(agent));
    const twin = await agentUp({ token: controller.tokens.create() });
    assert.equal(await controller.meet(twin.at), false);
    assert.match(controller.told.at(-1) ?? '', /has another key/);
  });

  test('a node that was unpaired while it was away forgets its controller when that comes to pair', async () => {
    const [agent, controller] = [await agentUp(), await ControllerEnd.up()];
    await controller.meet(agent.at);
    await controller.pairing.pairByCode('studio-2', codeOf(agent));
    const gone: string[] = [];
    controller.pairing.unpair(agent.identity.id, ({ name }) => gone.push(name));
    assert.deepEqual(gone, ['studio-2']);
    assert.equal(controller.pairing.isPaired(agent.identity.fingerprint), false);
    await controller.meet(agent.at);
    assert.equal(agent.trust.isPaired, false);
    assert.equal(existsSync(join(agent.home, 'paired.json')), false);
    await controller.pairing.pairByCode('studio-2', codeOf(agent));
    assert.ok(agent.trust.isController(controller.identity.fingerprint));
  });

  test('of two nodes of one name, the one that is meant must be called by its id', async () => {
    const controller = await ControllerEnd.up();
    const agents = [await agentUp(), await agentUp()];
    for (const { at } of agents) await controller.meet(at);
    const [first, second] = agents.map(({ identity }) => identity.id).sort() as [string, string];
    const naming = (error: Error) => error.message.includes(first) && error.message.includes(second);
    await assert.rejects(controller.pairing.pairByCode('studio-2', '12345678'), naming);
    for (const [index, { identity }] of agents.entries()) {
      controller.pins.add({
        fingerprint: identity.fingerprint,
        name: 'studio-2',
        pairedAt: `2026-11-2${index}T00:00:00.000Z`,
      });
    }
    assert.throws(() => controller.pairing.unpair('studio-2', () => assert.fail()), naming);
    controller.pairing.unpair(second, () => undefined);
    assert.deepEqual(
      controller.pairing.report().paired.map(({ id }) => id),
      [first],
    );
  });

  test('unknown names are told with those that are known', async () => {
    const [agent, controller] = [await agentUp(), await ControllerEnd.up()];
    assert.throws(() => controller.pairing.unpair('studio-9', () => assert.fail()), {
      code: 'not_paired',
      message: /no node is/,
    });
    await controller.meet(agent.at);
    await assert.rejects(controller.pairing.pairByCode('studio-9', '12345678'), {
      code: 'not_paired',
      message: /these do: studio-2/,
    });
    await controller.pairing.pairByCode(idOf(agent.identity.fingerprint), codeOf(agent));
    await assert.rejects(controller.pairing.pairByCode('studio-2', '12345678'), /is paired already/);
  });
});
