import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Requests } from '../../controller/requests.ts';
import { EspalierError } from '../../protocol/errors.ts';
import type { GenerateRequest, TokenEvent } from '../../protocol/generate.ts';
import { RECOVERY_TIMEOUT_MS } from '../../protocol/limits.ts';
import { GREEDY } from '../support/sampling.ts';

const WANTED = { promptIds: [1, 2], maxTokens: 9, stopIds: [], sampling: GREEDY };

/** Requests over a head that only notes what it is told. */
function setUp() {
  const sent: GenerateRequest[] = [];
  const cancelled: string[] = [];
  const counts: number[] = [];
  const state: { readiness: 'serving' | 'recovering' } = { readiness: 'serving' };
  const requests = new Requests(
    {
      maxSessions: 1,
      readiness: () => state.readiness,
      generate: (request) => sent.push(request),
      cancel: (id) => cancelled.push(id),
    },
    (running) => counts.push(running),
  );
  const token = (index: number, finish: TokenEvent['finish'] = null): TokenEvent => {
    const requestId = sent.at(-1)?.requestId ?? '';
    return { requestId, index, token: finish === 'stop' ? null : 100 + index, finish };
  };
  return { requests, sent, cancelled, counts, token, state };
}

async function collect(events: AsyncIterable<TokenEvent>): Promise<(number | null)[]> {
  const tokens: (number | null)[] = [];
  for await (const event of events) tokens.push(event.token);
  return tokens;
}

test('tokens come out in order, repeats are dropped, and the end is told', async () => {
  const { requests, cancelled, counts, token } = setUp();
  const answer = collect(requests.generate(WANTED, new AbortController().signal));
  requests.receive([token(0), token(1)]);
  requests.receive([token(1), token(2), token(3, 'stop')]);
  assert.deepEqual(await answer, [100, 101, 102, null]);
  assert.deepEqual(cancelled, [], 'what is finished needs no cancel');
  assert.deepEqual(counts, [1, 0]);
  assert.equal(requests.completed, 1);
  assert.equal(requests.tokensTotal, 3);
});

test('a gap is an error, never a text with a hole', async () => {
  const { requests, cancelled, token } = setUp();
  const answer = collect(requests.generate(WANTED, new AbortController().signal));
  requests.receive([token(0), token(2)]);
  await assert.rejects(answer, { code: 'internal', message: /token 1 of the answer did not arrive, 2 did/ });
  assert.equal(requests.failedCount, 1);
  assert.equal(cancelled.length, 0);
});

test('tokens that came before an error are still given', async () => {
  const { requests, token } = setUp();
  const got: (number | null)[] = [];
  const answer = (async () => {
    for await (const event of requests.generate(WANTED, new AbortController().signal)) got.push(event.token);
  })();
  requests.receive([token(0)]);
  requests.failAll(new EspalierError('stage_lost', 'studio-2 is lost'));
  await assert.rejects(answer, { code: 'stage_lost', message: /studio-2/ });
  assert.deepEqual(got, [100]);
});

test('a failure that a stage tells keeps its code, an unknown one becomes internal', async () => {
  for (const [code, expected] of [
    ['context_length_exceeded', 'context_length_exceeded'],
    ['of_another_version', 'internal'],
  ] as const) {
    const { requests, sent } = setUp();
    const answer = collect(requests.generate(WANTED, new AbortController().signal));
    requests.fail({ requestId: sent[0]?.requestId ?? '', code, message: 'why' });
    await assert.rejects(answer, { code: expected, message: 'why' });
  }
});

test('who leaves in the middle cancels on the stages', async () => {
  const { requests, sent, cancelled, token } = setUp();
  const abort = new AbortController();
  const answer = collect(requests.generate(WANTED, abort.signal));
  requests.receive([token(0)]);
  abort.abort();
  await answer;
  assert.deepEqual(cancelled, [sent[0]?.requestId]);
});

test('requests over the sessions are told as waiting', async () => {
  const { requests } = setUp();
  const abort = new AbortController();
  const answers = [1, 2, 3].map(() => collect(requests.generate(WANTED, abort.signal)));
  assert.deepEqual([requests.running, requests.waiting], [1, 2]);
  assert.deepEqual(
    requests.list().map((request) => request.phase),
    ['prefill', 'waiting', 'waiting'],
  );
  abort.abort();
  await Promise.all(answers);
  assert.deepEqual([requests.running, requests.waiting], [0, 0]);
});

test('what was interrupted goes on after the tokens that it has, with nothing twice and nothing missing', async () => {
  const { requests, sent, token } = setUp();
  const notices: string[] = [];
  const abort = new AbortController();
  const answer = collect(requests.generate(WANTED, abort.signal, (text) => notices.push(text)));
  requests.receive([token(0), token(1)]);
  requests.suspendAll('b is lost', false);
  assert.equal(requests.list()[0]?.phase, 'recovering');
  requests.receive([token(2)]);
  assert.equal(requests.tokensTotal, 2, 'what the old deployment still says does not count');
  let replayMs: number | undefined;
  requests.resumeAll((ms) => {
    replayMs = ms;
  });
  assert.deepEqual(sent[1], { ...sent[0], generatedIds: [100, 101] });
  assert.equal(replayMs, undefined, 'it has no new token yet');
  requests.receive([token(2), token(3, 'stop')]);
  assert.deepEqual(await answer, [100, 101, 102, null]);
  assert.ok(replayMs !== undefined);
  assert.deepEqual(notices, ['b is lost', 'the stages are back, the answer goes on']);
});

test('who comes while the cluster recovers waits for it, who leaves then needs no cancel', async () => {
  const { requests, sent, cancelled, token, state } = setUp();
  state.readiness = 'recovering';
  const abort = new AbortController();
  const left = collect(requests.generate(WANTED, abort.signal));
  const answer = collect(requests.generate(WANTED, new AbortController().signal));
  abort.abort();
  await left;
  assert.deepEqual([sent.length, cancelled.length], [0, 0]);
  requests.resumeAll();
  assert.equal(sent.length, 1);
  requests.receive([token(0, 'length')]);
  assert.deepEqual(await answer, [100]);
});

test('an answer whose end has come is not asked for again', async () => {
  const { requests, sent, token } = setUp();
  const events = requests.generate(WANTED, new AbortController().signal);
  const first = events.next();
  requests.receive([token(0), token(1, 'stop')]);
  await first;
  await events.next();
  requests.suspendAll('b is lost', true);
  requests.resumeAll();
  assert.equal(sent.length, 1);
  assert.equal((await events.next()).done, true);
});

test('a request under which a stage crashes again and again without a token ends, with the reason', async () => {
  const { requests, sent, token } = setUp();
  const answer = collect(requests.generate(WANTED, new AbortController().signal));
  const crashUnderIt = () => {
    requests.admit([sent[0]?.requestId ?? '']);
    requests.suspendAll('b crashed', true);
    requests.resumeAll();
  };
  for (let crash = 0; crash < 2; crash++) crashUnderIt();
  requests.receive([token(0)]);
  for (let crash = 0; crash < 3; crash++) {
    assert.equal(sent.length, 3 + crash, 'a token in between begins the count anew');
    crashUnderIt();
  }
  await assert.rejects(answer, { code: 'engine_failed', message: /crashed 3 times in a row .*: b crashed/ });
  assert.equal(sent.length, 5);
});

test('a crash that is told after the loss counts once, for those that the first stage had taken up', async () => {
  const { requests, sent, state } = setUp();
  const answer = collect(requests.generate(WANTED, new AbortController().signal));
  const requestId = sent[0]?.requestId ?? '';
  for (let crash = 0; crash < 3; crash++) {
    if (crash > 0) requests.resumeAll();
    requests.admit([requestId]);
    state.readiness = 'recovering';
    requests.suspendAll('the hop from a to b is lost', false);
    requests.noteCrash('b crashed');
    // another one of the same deployment, and one while nothing was computed
    requests.noteCrash('c crashed');
    requests.suspendAll('b crashed while it loaded', true);
    assert.equal(sent.length, crash + 1);
  }
  await assert.rejects(answer, { code: 'engine_failed', message: /crashed 3 times in a row .*: b crashed$/ });
});

test('who only waited for a turn is not to blame for what crashed meanwhile', async () => {
  const { requests, sent } = setUp();
  const running = collect(requests.generate(WANTED, new AbortController().signal));
  const abort = new AbortController();
  const waiting = collect(requests.generate(WANTED, abort.signal));
  for (let crash = 0; crash < 3; crash++) {
    requests.admit([sent[0]?.requestId ?? '', 'nobody']);
    requests.suspendAll('b crashed', true);
    requests.resumeAll();
  }
  await assert.rejects(running, { code: 'engine_failed' });
  assert.equal(requests.list().length, 1, 'the other one goes on');
  abort.abort();
  await waiting;
});

test('an operator cancels one request: the stages stop, its client is told why, the others go on', async () => {
  const { requests, sent, cancelled, token } = setUp();
  const wanted = collect(requests.generate(WANTED, new AbortController().signal, undefined, 'curl'));
  const unwanted = collect(requests.generate(WANTED, new AbortController().signal));
  const [first, second] = requests.list();
  assert.deepEqual([first?.client, first?.ahead, first?.phase], ['curl', null, 'prefill']);
  assert.deepEqual([second?.client, second?.ahead, second?.phase], [null, 0, 'waiting']);
  assert.equal(requests.cancel(second?.id ?? ''), true);
  await assert.rejects(unwanted, { code: 'cancelled', status: 410 });
  assert.deepEqual(cancelled, [second?.id]);
  assert.equal(requests.cancel(second?.id ?? ''), false);
  requests.receive([{ ...token(0, 'stop'), requestId: sent[0]?.requestId ?? '' }]);
  assert.deepEqual(await wanted, [null]);
});

test('who has waited too long for the cluster is told why it does not serve', async (t) => {
  const { requests, state } = setUp();
  state.readiness = 'recovering';
  const answer = collect(requests.generate(WANTED, new AbortController().signal));
  const later = performance.now() + RECOVERY_TIMEOUT_MS + 1;
  t.mock.method(performance, 'now', () => later);
  requests.checkDeadlines('the files are on their way');
  await assert.rejects(answer, /did not recover within 960 s: the files are on their way/);
});
