// A node's one stage without and with a controller: what it keeps, for how long, and what it refuses. The workers are real.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { StageHost } from '../../agent/stage-host.ts';
import type { ControlEvent } from '../../protocol/control.ts';
import { isAlive } from '../../protocol/home-lock.ts';
import type { Identity } from '../../protocol/identity.ts';
import { openModelFolder } from '../../protocol/model-folder.ts';
import type { StageSpec } from '../../protocol/stage.ts';
import { newIdentity } from '../support/identities.ts';
import { demoModelDir } from '../support/paths.ts';
import { until } from '../support/until.ts';

const GRACE_MS = 700;
const rankHome = { enginesDir: '/nowhere', node: 'node' };

describe('a stage host', () => {
  const told: ControlEvent[] = [];
  let identity: Identity;
  let host: StageHost;
  let modelFingerprint = '';
  before(async () => {
    modelFingerprint = (await openModelFolder(demoModelDir)).fingerprint;
    identity = await newIdentity();
    host = new StageHost(
      identity,
      rankHome,
      pino({ level: 'silent' }),
      (event) => told.push(event),
      GRACE_MS,
    );
  });
  after(() => host.stop());

  const spec = (epoch: number, changes: Partial<StageSpec> = {}): StageSpec => ({
    epoch,
    index: 0,
    stageCount: 2,
    range: { start: 0, end: 2 },
    modelDir: demoModelDir,
    modelFingerprint,
    contextTokens: 512,
    maxSessions: 4,
    kvTokens: 512,
    prefillChunkTokens: 64,
    maxChunkScores: 1e9,
    hopToken: 'a secret of this deployment',
    neighbours: { before: identity.fingerprint, after: identity.fingerprint },
    ...changes,
  });
  const deploy = (wanted: StageSpec) => host.handle({ kind: 'deploy', spec: wanted }, '127.0.0.1');

  async function heard<K extends ControlEvent['kind']>(
    kind: K,
    epoch: number,
  ): Promise<ControlEvent & { kind: K }> {
    const find = () => told.find((event) => event.kind === kind && 'epoch' in event && event.epoch === epoch);
    await until(() => find() !== undefined, `${kind} of epoch ${epoch}`);
    return find() as ControlEvent & { kind: K };
  }

  test('tells what it holds, once that is loaded', async () => {
    assert.equal(host.held, null);
    deploy(spec(3));
    assert.equal(host.held, null);
    await heard('stage-loaded', 3);
    const { index, stageCount, range } = spec(3);
    assert.deepEqual(host.held, { epoch: 3, index, stageCount, range, modelFingerprint });
  });

  test('refuses what is not newer, and keeps what it has', async () => {
    for (const epoch of [3, 2]) {
      told.length = 0;
      deploy(spec(epoch));
      const { code, message } = await heard('stage-failed', epoch);
      assert.deepEqual(
        [code, message],
        ['old_epoch', `this node has a stage of epoch 3 already: epoch ${epoch} is not newer`],
      );
    }
    assert.equal(host.held?.epoch, 3);
  });

  test('what a worker cannot load is told with its reason, and the next one is loaded', async () => {
    deploy(spec(4, { modelFingerprint: 'another' }));
    const { code } = await heard('stage-failed', 4);
    assert.equal(code, 'model_mismatch');
    assert.equal(host.held, null);
    deploy(spec(5));
    await heard('stage-loaded', 5);
  });

  test('several moves at once end at the last one, and nobody hears of the others', async () => {
    const { pid } = await heard('stage-loaded', 5);
    told.length = 0;
    for (const [epoch, end] of [
      [6, 3],
      [7, 1],
      [8, 4],
    ] as const)
      deploy(spec(epoch, { range: { start: 0, end } }));
    const loaded = await heard('stage-loaded', 8);
    assert.equal(loaded.pid, pid);
    assert.deepEqual(
      told.flatMap((event) => (event.kind === 'stage-loaded' ? event.epoch : [])),
      [8],
    );
    // an order for a deployment that is no more
    host.handle({ kind: 'undeploy', epoch: 5 }, '127.0.0.1');
    assert.equal(host.held?.epoch, 8);
  });

  test('an address that is not there costs the place, not the stage', async () => {
    const { pid } = await heard('stage-loaded', 8);
    // of a network for documentation (RFC 5737): no machine has it
    host.handle({ kind: 'deploy', spec: spec(20, { range: { start: 0, end: 4 } }) }, '192.0.2.1');
    const { hop, reason } = await heard('stage-unlinked', 20);
    assert.equal(hop, 'before');
    assert.match(reason, /cannot listen at 192\.0\.2\.1/);
    deploy(spec(21, { range: { start: 0, end: 4 } }));
    const again = await heard('stage-loaded', 21);
    assert.deepEqual([again.pid, again.readLayers], [pid, 0]);
  });

  test('without a controller the stage stays for a while, and then it goes', async () => {
    const { pid } = await heard('stage-loaded', 8);
    host.controllerGone();
    host.controllerCame();
    host.controllerGone();
    assert.equal(host.held?.epoch, 21);
    assert.ok(isAlive(pid));
    await until(() => !isAlive(pid), 'the end of the worker');
    assert.equal(host.held, null);
  });

  test('a stage that is only begun when the controller goes is given up in time, too', async () => {
    const patient = new StageHost(
      identity,
      rankHome,
      pino({ level: 'silent' }),
      (event) => told.push(event),
      4_000,
    );
    const begin = (epoch: number, modelDir: string) =>
      patient.handle({ kind: 'deploy', spec: spec(epoch, { modelDir }) }, '127.0.0.1');
    try {
      begin(30, demoModelDir);
      await heard('stage-loaded', 30);
      // in another folder: the first worker ends before the second begins, and in between there is none
      begin(31, `${demoModelDir}/`);
      await until(() => patient.held === null, 'the end of the first');
      patient.controllerGone();
      const { pid } = await heard('stage-loaded', 31);
      await until(() => !isAlive(pid), 'the end of what nobody asks for');
      assert.equal(patient.held, null);
    } finally {
      await patient.stop();
    }
  });

  test('a controller that came back in time finds it for good', async () => {
    deploy(spec(40));
    const { pid } = await heard('stage-loaded', 40);
    host.controllerGone();
    host.controllerCame();
    await new Promise((resolve) => setTimeout(resolve, 2 * GRACE_MS));
    assert.ok(isAlive(pid));
    assert.equal(host.held?.epoch, 40);
  });

  test('whoever is told to end a newer deployment ends the one that it has, loaded or not', async () => {
    const { pid } = await heard('stage-loaded', 40);
    deploy(spec(41, { range: { start: 0, end: 3 } }));
    host.handle({ kind: 'undeploy', epoch: 42 }, '127.0.0.1');
    await until(() => !isAlive(pid), 'the end of the worker');
    assert.equal(host.held, null);
  });
});
