// What stages do when parts of their ring go: real agents and workers, led by hand. Nothing that is still there is read or
// computed again, and every answer is what it would have been.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type RunningAgent, startAgent } from '../../agent/main.ts';
import { isAlive } from '../../protocol/home-lock.ts';
import type { LayerRange } from '../../protocol/plan.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { HandController, type HandKeys, handKeys } from '../support/hand-controller.ts';
import { type ReferenceCase, referenceCases } from '../support/reference.ts';
import { Relay } from '../support/relay.ts';
import { sayGarbage } from '../support/strangers.ts';
import { until } from '../support/until.ts';

const THIRDS: LayerRange[] = [
  { start: 0, end: 4 },
  { start: 4, end: 8 },
  { start: 8, end: 12 },
];
const HALVES: LayerRange[] = [
  { start: 0, end: 6 },
  { start: 6, end: 12 },
];
/** An answer in whose middle something can happen. */
const LONG = referenceCases.find(({ greedy_ids }) => greedy_ids.length > 100) as ReferenceCase;
const PROMPT = LONG.prompt_ids;
const EXPECTED = LONG.greedy_ids.filter((id) => id !== 1);

describe('three stages', () => {
  const home = mkdtempSync(join(tmpdir(), 'espalier-test-'));
  const agents: RunningAgent[] = [];
  let ports: number[];
  let keys: HandKeys;
  let hand: HandController;

  before(async () => {
    process.env.ESPALIER_LOG ??= 'silent';
    keys = await handKeys(
      home,
      [0, 1, 2].map((i) => join(home, `${i}`)),
    );
    for (let i = 0; i < 3; i++) {
      agents.push(
        await startAgent({
          name: `node-${i}`,
          host: '127.0.0.1',
          port: 0,
          bonjourInterface: '127.0.0.1',
          cluster: 'hand',
          home: join(home, `${i}`),
        }),
      );
    }
    ports = agents.map(({ port }) => port);
    hand = await HandController.connect(keys, ports);
  });
  after(async () => {
    hand?.vanish();
    await Promise.all(agents.map((agent) => agent.stop()));
    rmSync(home, { recursive: true, force: true });
  });

  /** A ring of thirds with the long answer in its middle. @returns the workers, and the tokens that came */
  async function inTheMiddle(requestId: string): Promise<{ pids: number[]; tokens: number[] }> {
    const loaded = await hand.deploy(THIRDS);
    await hand.link();
    hand.ask(requestId, PROMPT);
    const { tokens } = await hand.answered(requestId, 12);
    return { pids: loaded.map(({ pid }) => pid), tokens };
  }

  /** The answer that began elsewhere goes on, and is what it would have been. */
  async function goesOn(requestId: string, sofar: number[]): Promise<{ cachedTokens: number | undefined }> {
    hand.ask(requestId, PROMPT, { generatedIds: sofar });
    const { tokens, indices, failure, cachedTokens } = await hand.answered(requestId);
    assert.equal(failure, undefined);
    assert.deepEqual([...sofar, ...tokens], EXPECTED);
    assert.equal(indices[0], sofar.length);
    return { cachedTokens };
  }

  beforeEach(() => {
    hand.events.length = 0;
  });

  test('a worker that is killed: its neighbours tell, and keep their weights', async () => {
    const { pids } = await inTheMiddle('a');
    process.kill(pids[1] as number, 'SIGKILL');
    await hand.heard(1, (event) => event.kind === 'stage-failed');
    for (const node of [0, 2]) await hand.heard(node, (event) => event.kind === 'stage-unlinked');
    assert.match(hand.last(1, 'stage-failed')?.message ?? '', /worker of stage 1 .* SIGKILL/);
    assert.equal(hand.last(0, 'stage-unlinked')?.hop, 'after');
    assert.equal(hand.last(2, 'stage-unlinked')?.hop, 'before');
    const sofar = hand.answer('a').tokens;
    const again = await hand.deploy(THIRDS);
    assert.deepEqual(
      again.map(({ pid, readLayers, kvEpoch }) => [pid === pids[1], readLayers, kvEpoch]),
      [
        [false, 0, hand.epoch - 1],
        [false, 4, null],
        [false, 0, hand.epoch - 1],
      ],
    );
    assert.deepEqual([again[0]?.pid, again[2]?.pid], [pids[0], pids[2]]);
    await hand.link({ keepsKv: false });
    assert.equal((await goesOn('a', sofar)).cachedTokens, undefined);
  });

  test('what a stranger said at a hop is not what a worker died of', async () => {
    const loaded = await hand.deploy(THIRDS);
    const { hop, pid } = loaded[1] as (typeof loaded)[0];
    await sayGarbage({ port: hop.port, from: '127.0.0.1' }, 0);
    process.kill(pid, 'SIGKILL');
    await hand.heard(1, (event) => event.kind === 'stage-failed' && event.epoch === hand.epoch);
    assert.match(hand.last(1, 'stage-failed')?.message ?? '', /SIGKILL$/);
  });

  test('a stage that leaves its place closes its hops, and has all that it had for the next one', async () => {
    const { pids } = await inTheMiddle('a');
    for (const node of [0, 1, 2]) hand.send(node, { kind: 'leave', epoch: hand.epoch });
    await delay(500);
    const sofar = hand.answer('a').tokens;
    assert.ok(sofar.length < EXPECTED.length);
    assert.deepEqual(
      hand.events.filter(({ event }) => event.kind === 'stage-failed'),
      [],
    );
    const again = await hand.deploy(THIRDS);
    assert.deepEqual(
      again.map(({ pid, readLayers, kvEpoch }) => [pid, readLayers, kvEpoch]),
      pids.map((pid) => [pid, 0, hand.epoch - 1]),
    );
    await hand.link({ keepsKv: true });
    assert.ok(((await goesOn('a', sofar)).cachedTokens ?? 0) > 0);
  });

  test('a cable that is pulled closes nothing: silence is found, and the answer goes on with its KV', async () => {
    const loaded = await hand.deploy(THIRDS);
    const relay = await Relay.open((loaded[2] as (typeof loaded)[0]).hop);
    try {
      await hand.link({ detour: (from, to) => (from === 1 ? { host: '127.0.0.1', port: relay.port } : to) });
      hand.ask('a', PROMPT);
      await hand.answered('a', 12);
      relay.fallSilent();
      await hand.heard(2, (event) => event.kind === 'stage-unlinked' && event.epoch === hand.epoch);
      const lost = hand.last(2, 'stage-unlinked');
      assert.deepEqual([lost?.hop, lost?.reason.slice(0, 16)], ['before', 'nothing came for']);
      const sofar = hand.answer('a').tokens;
      assert.ok(sofar.length < EXPECTED.length);
      const again = await hand.deploy(THIRDS);
      assert.deepEqual(
        again.map(({ pid, readLayers, kvEpoch }) => [pid, readLayers, kvEpoch]),
        loaded.map(({ pid }) => [pid, 0, hand.epoch - 1]),
      );
      // nobody but who is beside the cable has lost anything
      assert.equal(
        hand.events.filter(({ node, event }) => node === 0 && event.kind === 'stage-unlinked').length,
        0,
      );
      await hand.link({ keepsKv: true });
      const { cachedTokens } = await goesOn('a', sofar);
      // all but what was in flight, and the token that is always computed
      assert.ok(
        (cachedTokens ?? 0) >= PROMPT.length + sofar.length - 4,
        `${cachedTokens} tokens were reused`,
      );
    } finally {
      relay.close();
    }
  });

  test('a worker that is frozen is ended by its agent, and its place is taken by another', async () => {
    const { pids } = await inTheMiddle('a');
    process.kill(pids[1] as number, 'SIGSTOP');
    await hand.heard(1, (event) => event.kind === 'stage-failed');
    assert.match(hand.last(1, 'stage-failed')?.message ?? '', /stage 1 was ended, frozen/);
    const sofar = hand.answer('a').tokens;
    await hand.deploy(THIRDS);
    await hand.link();
    await goesOn('a', sofar);
  });

  test('a worker that is frozen while it is told to move is replaced without a word', async () => {
    const { pids } = await inTheMiddle('a');
    process.kill(pids[2] as number, 'SIGSTOP');
    const sofar = hand.answer('a').tokens;
    const again = await hand.deploy(THIRDS);
    assert.deepEqual([again[0]?.pid, again[1]?.pid], [pids[0], pids[1]]);
    assert.deepEqual([again[2]?.kvEpoch, again[2]?.readLayers], [null, 4]);
    assert.notEqual(again[2]?.pid, pids[2]);
    await hand.link();
    await goesOn('a', sofar);
  });

  test('a range that moves is read where it is new, and nowhere else', async () => {
    const { pids, tokens } = await inTheMiddle('a');
    const moved = await hand.deploy(HALVES, [0, 2]);
    assert.deepEqual(
      moved.map(({ pid, readLayers, kvEpoch }) => [pid, readLayers, kvEpoch]),
      [
        [pids[0], 2, null],
        [pids[2], 2, null],
      ],
    );
    assert.ok(hand.last(0, 'stage-progress')?.ofLayers === 2);
    await hand.link();
    await goesOn('a', tokens);
    // the head's place goes to another node
    const turned = await hand.deploy(HALVES, [2, 0]);
    assert.deepEqual(
      turned.map(({ readLayers }) => readLayers),
      [6, 6],
    );
    await hand.link();
    await goesOn('b', tokens.slice(0, 3));
  });

  test('a hop that cannot be opened is told, and the stages stay', async () => {
    const loaded = await hand.deploy(THIRDS);
    const nobody = { host: '127.0.0.1', port: 1 };
    const linking = hand.link({ detour: (from, to) => (from === 0 ? nobody : to) });
    linking.catch(() => undefined);
    await hand.heard(0, (event) => event.kind === 'stage-unlinked' && event.epoch === hand.epoch);
    const { hop, reason } = hand.last(0, 'stage-unlinked') ?? {};
    assert.equal(hop, 'after');
    assert.match(reason ?? '', /127\.0\.0\.1:1 cannot be reached/);
    const again = await hand.deploy(THIRDS);
    assert.deepEqual(
      again.map(({ pid, kvEpoch }) => [pid, kvEpoch]),
      loaded.map(({ pid }) => [pid, hand.epoch - 1]),
    );
    await hand.link({ keepsKv: true });
    await goesOn('a', EXPECTED.slice(0, 5));
  });

  test('a controller that is gone finds its stages as they were, and what ran as KV; a second one is refused', async () => {
    const { pids } = await inTheMiddle('a');
    const sofar = hand.answer('a').tokens;
    const second = await HandController.connect(keys, [ports[0] as number], 'second');
    assert.match(second.last(0, 'refused')?.message ?? '', /another controller with the same key/);
    second.vanish();
    const { epoch } = hand;
    hand.vanish();
    await until(async () => {
      hand = await HandController.connect(keys, ports, 'third');
      const isIn = hand.events.every(({ event }) => event.kind === 'hello');
      if (!isIn) hand.vanish();
      return isIn;
    }, 'agents that let it in');
    for (const [node, range] of THIRDS.entries()) {
      const held = hand.last(node, 'hello')?.stage;
      assert.deepEqual([held?.epoch, held?.index, held?.stageCount, held?.range], [epoch, node, 3, range]);
    }
    // who does not look counts from the beginning
    await assert.rejects(hand.deploy(THIRDS), /has a stage of epoch \d+ already: epoch 1 is not newer/);
    hand.epoch = epoch;
    const again = await hand.deploy(THIRDS);
    assert.deepEqual(
      again.map(({ pid, readLayers, kvEpoch }) => [pid, readLayers, kvEpoch]),
      pids.map((pid) => [pid, 0, epoch]),
    );
    await hand.link({ keepsKv: true });
    const { cachedTokens } = await goesOn('a', sofar);
    assert.ok((cachedTokens ?? 0) >= PROMPT.length + sofar.length - 4, `${cachedTokens} tokens were reused`);
  });
});

test('a node that was suspended as a whole comes back as it was; a killed agent leaves no worker', async () => {
  const home = mkdtempSync(join(tmpdir(), 'espalier-test-'));
  const keys = await handKeys(home, [join(home, 'a'), join(home, 'b')]);
  const agents = [
    await AgentProcess.start({ home: join(home, 'a'), cluster: 'hand' }),
    await AgentProcess.start({ home: join(home, 'b'), cluster: 'hand' }),
  ] as const;
  const [sleeper, other] = agents;
  const hand = await HandController.connect(
    keys,
    agents.map(({ port }) => port),
  );
  try {
    const loaded = await hand.deploy(HALVES);
    await hand.link();
    hand.ask('a', PROMPT);
    await hand.answered('a', 5);
    sleeper.signalAll('SIGSTOP');
    await hand.heard(1, (event) => event.kind === 'stage-unlinked');
    const sofar = hand.answer('a').tokens;
    const alone = await hand.deploy([{ start: 0, end: 12 }], [1]);
    assert.deepEqual([alone[0]?.pid, alone[0]?.readLayers], [loaded[1]?.pid, 6]);
    await hand.link();
    hand.ask('a', PROMPT, { generatedIds: sofar });
    assert.deepEqual([...sofar, ...(await hand.answered('a')).tokens], EXPECTED);
    // its watches have run out many times over when it wakes
    await delay(2_500);
    sleeper.signalAll('SIGCONT');
    await delay(3_000);
    const again = await hand.deploy(HALVES);
    assert.deepEqual(
      [again[0]?.pid, again[0]?.readLayers],
      [loaded[0]?.pid, 0],
      'it lives, and has its layers',
    );
    await hand.link();
    hand.ask('b', PROMPT);
    assert.deepEqual((await hand.answered('b')).tokens, EXPECTED);
    other.signal('SIGKILL');
    await until(() => !isAlive(again[1]?.pid as number), 'the end of a worker without an agent');
  } finally {
    hand.vanish();
    for (const agent of agents) agent.killAll();
    rmSync(home, { recursive: true, force: true });
  }
});
