// What a cluster of six Macs promises to those who use it, whatever is pulled or killed: eight streams before, during and
// after each fault, every answer whole, once, and as mlx-lm gives it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { faults } from '../../scripts/lab/faults.ts';
import { noLoss } from '../../scripts/lab/lab.ts';
import { referenceFile } from '../../scripts/lab/load.ts';
import { Scene } from '../../scripts/lab/scene.ts';
import { sixMacs } from '../../scripts/lab/six-macs.ts';
import { soak } from '../../scripts/lab/soak.ts';
import { STREAMS, witness } from '../../scripts/lab/witness.ts';
import { until } from '../support/until.ts';
import { skipLab } from './skip-lab.ts';

const TIMES = { frozenMs: 9_000, slowMs: 3_000, flapMs: 3_000 };
const TIMEOUT_MS = 240_000;
const SOAK_MS = 45_000;

const skip = await skipLab();
const lossless = await noLoss();

describe('eight streams over six Macs', { skip }, () => {
  let scene: Scene;
  before(
    async () => {
      scene = new Scene(await sixMacs());
      await scene.whole();
    },
    { timeout: TIMEOUT_MS },
  );
  after(() => scene?.macs.remove());

  for (const fault of faults(TIMES)) {
    const skipped = fault.isLoss ? lossless : false;
    test(fault.name, { skip: skipped, timeout: TIMEOUT_MS }, async (t) => {
      const { wrong, answers, longestPauseMs, incidents, epochs } = await witness(
        scene,
        fault,
        referenceFile(),
      );
      assert.deepEqual(
        wrong.map((answer) => answer.wrong),
        [],
        `${answers.length} answers; ${incidents.map(({ seen }) => seen).join('; ')}\n${scene.macs.cluster.log.slice(-3_000)}`,
      );
      assert.ok(answers.length >= STREAMS);
      // where noise left no hop on a cable, nobody misses one
      const isMissed = !fault.isSlow && !fault.name.includes('cable');
      if (isMissed) assert.ok(incidents.length > 0, 'an incident tells of it');
      assert.ok(epochs <= 8, `${epochs} deployments: it does not come to rest`);
      const pauses = incidents.map(({ pause }) => JSON.stringify(pause)).join(' ');
      t.diagnostic(`longest pause of a stream ${Math.round(longestPauseMs)} ms; ${pauses}`);
    });
  }

  test('kill -9 of the controller: the next one answers without loading anything', {
    timeout: TIMEOUT_MS,
  }, async (t) => {
    const { cluster } = scene.macs;
    const before = await scene.whole();
    process.kill(cluster.controllerPid as number, 'SIGKILL');
    await until(() => cluster.controllerPid === undefined, 'its end');
    cluster.startController();
    const startedAt = performance.now();
    const after = await scene.whole();
    const messages = [{ role: 'user', content: "How many r's are in strawberry?" }];
    const answer = JSON.parse(await cluster.fetch('/v1/chat/completions', { messages, temperature: 0 }));
    t.diagnostic(`answered ${Math.round(performance.now() - startedAt)} ms after its start`);
    assert.match(answer.choices[0].message.content, /\*\*3\*\*/);
    assert.deepEqual(
      after.stages.map(({ pid }) => pid),
      before.stages.map(({ pid }) => pid),
    );
  });

  test('a minute of load with random faults: no answer is wrong, and nothing is left behind', {
    timeout: TIMEOUT_MS,
  }, async (t) => {
    const said: string[] = [];
    const result = await soak({
      scene,
      durationMs: SOAK_MS,
      seed: 6,
      referenceFile: referenceFile(),
      withoutLoss: Boolean(lossless),
      say: (line) => said.push(line),
    });
    t.diagnostic(`${result.answers} answers through ${said.join('; ')}`);
    assert.deepEqual(
      result.wrong.map(({ wrong }) => wrong),
      [],
      said.join('; '),
    );
    assert.ok(result.faults.length > 1 && result.answers > STREAMS);
    assert.equal(result.orphans, 0);
    for (const { who, before, after } of result.grown) {
      assert.ok(
        after.descriptors - before.descriptors < 20,
        `${who}: ${before.descriptors} to ${after.descriptors} descriptors`,
      );
      assert.ok(
        after.residentBytes - before.residentBytes < 100e6,
        `${who}: ${before.residentBytes} to ${after.residentBytes} bytes`,
      );
    }
  });
});
