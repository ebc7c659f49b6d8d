// The hop to a draft over a real socket: words go both ways under the keys of both nodes, and whatever is wrong with it is told
// once and costs guesses alone.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Frame } from '../../../../agent/stage/frame.ts';
import { HopServer } from '../../../../agent/stage/hop.ts';
import { DraftHop } from '../../../../agent/stage/speculation/draft-hop.ts';
import { RemoteDraft } from '../../../../agent/stage/speculation/remote-draft.ts';
import { newIdentity } from '../../../support/identities.ts';
import { GREEDY } from '../../../support/sampling.ts';
import { until } from '../../../support/until.ts';

const [HEAD, DRAFT, STRANGER] = await Promise.all([newIdentity(), newIdentity(), newIdentity()]);
const token = 'the-secret-of-this-draft';
const EPOCH = 5;
const closes: (() => void)[] = [];
after(() => {
  for (const close of closes) close();
});

async function linked({ as = HEAD, says = token } = {}) {
  const heard: Frame[] = [];
  const server = new HopServer(
    { epoch: EPOCH, fromStage: 0, hopToken: token },
    { credentials: DRAFT, peer: HEAD.fingerprint },
    {
      onLinked: () => undefined,
      onFrame: (frame) => heard.push(frame),
      onLost: () => undefined,
      onRefused: () => undefined,
    },
  );
  const source = new RemoteDraft({ nowMs: () => 0, later: () => undefined });
  const told: string[] = [];
  const port = await server.listen('127.0.0.1');
  const link = { draftEpoch: EPOCH, next: { host: '127.0.0.1', port }, peer: DRAFT.fingerprint, token: says };
  const hop = new DraftHop(link, as, source, {
    onLinked: () => told.push('linked'),
    onUnlinked: (reason) => told.push(reason),
    blockedMs: () => 0,
  });
  closes.push(() => {
    server.close();
    hop.close();
  });
  await hop.dial();
  const request = { requestId: 'a', promptIds: [1, 2], maxTokens: 9, stopIds: [], sampling: GREEDY };
  const guess = () => source.guess({ session: 1, request, tokens: [1, 2], guessed: [] }, 1);
  return { server, hop, heard, told, guess };
}

describe('the hop to a draft', () => {
  test('texts go there and guesses come back', async () => {
    const { server, heard, told, guess } = await linked();
    assert.equal(await guess(), 'coming');
    await until(() => heard.length === 1, 'a text');
    server.reply({ kind: 'beat', epoch: EPOCH, busyMs: 10 });
    server.reply({
      kind: 'draft',
      epoch: EPOCH,
      word: { say: 'guess', session: 1, turn: 1, at: 2, ids: [7] },
    });
    await until(async () => String(await guess()) === '7', 'its guess');
    assert.deepEqual(told, ['linked']);
  });

  test('one that says what is no draft’s is closed, told of once, and asked nothing more', async () => {
    const { server, heard, told, guess } = await linked();
    await guess();
    await until(() => heard.length === 1, 'a text');
    server.reply({ kind: 'cancel', epoch: EPOCH, guesses: [] });
    await until(() => told.length === 2, 'its end');
    assert.match(told[1] ?? '', /a cancel frame is no draft's/);
    assert.deepEqual(await guess(), []);
  });

  test('a stranger and a wrong secret are closed', async () => {
    for (const options of [{ as: STRANGER }, { says: 'the-secret-of-another-one' }]) {
      const { told, guess } = await linked(options);
      await until(() => told.some((text) => text !== 'linked'), 'its end');
      assert.deepEqual(await guess(), []);
    }
  });

  test('closed by this side, nothing is told', async () => {
    const { hop, told, guess } = await linked();
    hop.close();
    assert.deepEqual(await guess(), []);
    assert.deepEqual(told, ['linked']);
  });
});
