// One pull over nodes that are played: who is waited for, and who is to blame for what ends it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeFault } from '../../../controller/models/node-fault.ts';
import { Pull, type PullOptions, type StoreNodes } from '../../../controller/models/pull.ts';
import { StoreAsks } from '../../../controller/models/store-asks.ts';
import type { EspalierError } from '../../../protocol/errors.ts';
import type { StoreCommand, StoreEvent } from '../../../protocol/store.ts';

type Question = Exclude<StoreCommand, { kind: 'store-share' }>;
type Answer = StoreEvent extends infer Each ? (Each extends StoreEvent ? Omit<Each, 'askId'> : never) : never;

const FILE = { path: 'model.safetensors', sizeBytes: 1_000, blob: 'a'.repeat(64) };
const EMPTY: Answer = { kind: 'store-held', folder: '/store', freeBytes: 1e12, paths: [], partial: [] };
const FULL: Answer = { ...EMPTY, freeBytes: 100 };
const HELD: Answer = { ...EMPTY, paths: [FILE.path] };
const DONE: Answer = { kind: 'store-done', bytes: 1_000 };

/**
 * @param play what a node answers to a question; undefined: nothing, ever
 * @returns a pull of one file to node `a`, what the nodes were asked, and a way to answer later
 */
function setUp(
  ids: readonly string[],
  play: (id: string, question: Question) => Answer | undefined,
  options: Partial<PullOptions> = {},
) {
  const asked: string[] = [];
  const tell = (id: string, event: StoreEvent) => asks.receive(id, event);
  const asks = new StoreAsks((id, question) => {
    if (question.kind === 'store-share') return;
    const source = question.kind === 'store-fetch' ? ` from ${question.source.kind}` : '';
    asked.push(`${id} ${question.kind}${source}`);
    const answer = question.kind === 'store-stop' ? undefined : play(id, question);
    if (answer) setImmediate(() => tell(id, { ...answer, askId: question.askId } as StoreEvent));
  });
  const nodes: StoreNodes = {
    asks,
    connected: () => ids.map((id) => ({ id, name: id })),
    nameOf: (id) => id,
    keyOf: () => 'sha256:key',
    ways: () => [{ host: '10.0.0.1', port: 1 }],
    gbps: () => 1,
    whileFetching: (task) => task(),
  };
  const pull = new Pull(nodes, {
    model: { repo: 'tests/model', commit: 'c'.repeat(40), files: [FILE], licence: null },
    needs: [{ nodeId: 'a', files: [FILE] }],
    hasHub: true,
    reserveBytes: 0,
    onDamaged: () => undefined,
    onFetching: () => undefined,
    signal: new AbortController().signal,
    ...options,
  });
  return { asked, pull, tell };
}

const holds = ({ kind }: Question) => kind === 'store-holds';

test('a node without a part in the plan that says nothing holds up nobody', { timeout: 30_000 }, async () => {
  const { asked, pull } = setUp(['a', 'b'], (id, question) => {
    if (id === 'b') return undefined;
    return holds(question) ? EMPTY : DONE;
  });
  await pull.run();
  assert.deepEqual(asked.slice(0, 3), ['a store-holds', 'b store-holds', 'a store-fetch from hub']);
});

test('one that has the file gives it, and the internet is spared', async () => {
  const { asked, pull } = setUp(['a', 'b'], (id, question) => {
    if (!holds(question)) return DONE;
    return id === 'b' ? HELD : EMPTY;
  });
  await pull.run();
  assert.ok(asked.includes('a store-fetch from node'), asked.join('; '));
});

test('where there is no hub, a node that is slow to say that it has the file is waited for', async () => {
  const { asked, pull, tell } = setUp(
    ['a', 'b'],
    (id, question) => {
      if (!holds(question)) return DONE;
      if (id === 'a') return EMPTY;
      // longer than a pull waits for it where it could ask a hub
      setTimeout(() => tell('b', { ...HELD, askId: question.askId } as StoreEvent), 2_500);
      return undefined;
    },
    { hasHub: false },
  );
  await pull.run();
  assert.ok(asked.includes('a store-fetch from node'), asked.join('; '));
});

test('where there is no hub, a node that cannot say what it has is not waited for', async () => {
  const { asked, pull } = setUp(
    ['a', 'b'],
    (id, question) => {
      if (id === 'a') return holds(question) ? EMPTY : DONE;
      return { kind: 'store-failed', code: 'internal', message: 'its folder cannot be read' };
    },
    { hasHub: false },
  );
  await assert.rejects(pull.run(), { code: 'model_file_missing', message: /^no connected node holds/ });
  assert.deepEqual(asked.slice(0, 2), ['a store-holds', 'b store-holds']);
});

test("what a node has no room for is its fault, and what the hub refuses is no node's", async () => {
  const isFaultOf = (nodeId: string, code: string) => (error: EspalierError) =>
    error instanceof NodeFault && error.nodeId === nodeId && error.code === code;
  const full = setUp(['a'], (_, question) => (holds(question) ? FULL : DONE));
  await assert.rejects(full.pull.run(), isFaultOf('a', 'disk_full'));

  const failing = (code: string) =>
    setUp(['a'], (_, question) =>
      holds(question) ? EMPTY : { kind: 'store-failed', code, message: 'why' },
    ).pull.run();
  await assert.rejects(failing('home_not_writable'), isFaultOf('a', 'home_not_writable'));
  await assert.rejects(
    failing('model_access_denied'),
    (error: EspalierError) => error.code === 'model_access_denied' && !(error instanceof NodeFault),
  );
});
