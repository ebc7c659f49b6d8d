// The heart of a pull, played: every fetch that it wants is done, fails or is lost, and what it asked of the hub is counted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeNeeds } from '../../../controller/models/needs.ts';
import { type Fetch, HUB, spaceShortage, Transfers } from '../../../controller/models/transfers.ts';

const file = (path: string, sizeBytes = 1_000) => ({ path, sizeBytes, blob: 'a'.repeat(64) });
const nothing = { paths: [], partial: [] };
const ids = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'];

function started(needs: NodeNeeds[], options: Partial<ConstructorParameters<typeof Transfers>[0]> = {}) {
  const transfers = new Transfers({ needs, hasHub: true, ...options });
  for (const { nodeId } of needs) transfers.nodeConnected(nodeId, nothing);
  return transfers;
}

const words = (fetches: readonly Fetch[]) =>
  fetches.map(({ nodeId, file: { path }, from }) => `${nodeId} ${path} ${from}`);

test('a file that all need is asked of the hub once, and goes on from node to node in a chain', () => {
  const transfers = started(ids.map((nodeId) => ({ nodeId, files: [file('config.json')] })));
  assert.deepEqual(words(transfers.next(0)), [
    'n1 config.json hub',
    'n2 config.json n1',
    'n3 config.json n2',
    'n4 config.json n3',
    'n5 config.json n4',
    'n6 config.json n5',
  ]);
});

test('a faster link is preferred to a shorter queue', () => {
  const transfers = started(
    ['n1', 'n2', 'n3'].map((nodeId) => ({ nodeId, files: [file('x.json')] })),
    { linkGbps: (from) => (from === 'n1' ? 40 : 1) },
  );
  assert.deepEqual(words(transfers.next(0)).slice(1), ['n2 x.json n1', 'n3 x.json n1']);
});

test('files of different nodes come from the hub side by side, and no more at once than it is to bear', () => {
  const needs = ids.map((nodeId) => ({ nodeId, files: [file(`${nodeId}.safetensors`)] }));
  assert.equal(started(needs).next(0).length, 4);
  assert.equal(started(needs, { maxHubFetches: 1 }).next(0).length, 1);
});

test('who has the most of a file already asks the hub for the rest', () => {
  const transfers = started(['n1', 'n2'].map((nodeId) => ({ nodeId, files: [file('w.safetensors')] })));
  transfers.nodeConnected('n2', { paths: [], partial: [{ path: 'w.safetensors', bytes: 900 }] });
  assert.deepEqual(words(transfers.next(0)), ['n2 w.safetensors hub', 'n1 w.safetensors n2']);
});

test('a node without needs that holds a file is a source, and the hub is not asked', () => {
  const transfers = started([{ nodeId: 'n1', files: [file('w.safetensors')] }]);
  transfers.nodeConnected('other', { paths: ['w.safetensors'], partial: [] });
  assert.deepEqual(words(transfers.next(0)), ['n1 w.safetensors other']);
  transfers.fetched('n1', 'w.safetensors');
  assert.ok(transfers.isDone);
});

test('when the node that asks the hub goes, one of its readers takes over, and only one', () => {
  const transfers = started(['n1', 'n2', 'n3'].map((nodeId) => ({ nodeId, files: [file('w.safetensors')] })));
  transfers.next(0);
  transfers.nodeLost('n1');
  const gone = { code: 'model_fetch_failed', message: 'it cannot be reached' };
  transfers.failed('n2', 'w.safetensors', gone, 10);
  transfers.failed('n3', 'w.safetensors', gone, 10);
  assert.deepEqual(words(transfers.next(20)), ['n2 w.safetensors hub'], 'n3 read of n2, and waits a moment');
  assert.deepEqual(words(transfers.next(5_000)), ['n3 w.safetensors n2']);
  transfers.nodeConnected('n1', nothing);
  assert.deepEqual(words(transfers.next(5_030)), ['n1 w.safetensors n3']);
});

test('a copy that fails does not make a file come twice over the internet, unless it never works', () => {
  const transfers = started(['n1', 'n2'].map((nodeId) => ({ nodeId, files: [file('w.safetensors')] })));
  transfers.next(0);
  const broken = { code: 'model_fetch_failed', message: 'the connection broke' };
  assert.equal(transfers.failed('n2', 'w.safetensors', broken, 0), undefined);
  assert.deepEqual(words(transfers.next(100)), [], 'it waits');
  assert.deepEqual(words(transfers.next(5_000)), ['n2 w.safetensors n1']);
  transfers.failed('n2', 'w.safetensors', broken, 5_000);
  transfers.next(10_000);
  transfers.failed('n2', 'w.safetensors', broken, 10_000);
  transfers.fetched('n1', 'w.safetensors');
  assert.deepEqual(words(transfers.next(20_000)), ['n2 w.safetensors hub']);
});

test('a full disk and a refusal of the hub end the pull; a folder has no hub to go to', () => {
  const transfers = started([{ nodeId: 'n1', files: [file('w.safetensors')] }]);
  transfers.next(0);
  const full = { code: 'disk_full', message: 'no space' };
  assert.deepEqual(transfers.failed('n1', 'w.safetensors', full, 0), { ...full, nodeId: 'n1' });
  const local = started([{ nodeId: 'n1', files: [file('w.safetensors')] }], { hasHub: false });
  assert.deepEqual(words(local.next(0)), []);
  assert.deepEqual(local.unobtainable, ['w.safetensors']);
});

test('random pulls end, with each file from the hub once, whatever order things happen in', () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  for (let round = 0; round < 200; round += 1) {
    const paths = Array.from({ length: 1 + random(12) }, (_, i) => `f${i}.safetensors`);
    const needs = ids.map((nodeId) => ({
      nodeId,
      files: paths.filter(() => random(3) > 0).map((path) => file(path)),
    }));
    const transfers = started(needs);
    const needed = new Set(needs.flatMap(({ files }) => files.map(({ path }) => path)));
    const running: Fetch[] = [];
    let fromHub = 0;
    for (let now = 0; !transfers.isDone; now += 1_000) {
      assert.ok(now < 10_000_000, `round ${round} does not end`);
      for (const fetch of transfers.next(now)) {
        running.push(fetch);
        fromHub += Number(fetch.from === HUB);
      }
      const [fetch] = running.splice(random(running.length), 1);
      if (!fetch) continue;
      // a reader is never done before the one that it reads from
      const isReady =
        fetch.from === HUB ||
        !running.some(({ nodeId, file: { path } }) => nodeId === fetch.from && path === fetch.file.path);
      if (!isReady) running.push(fetch);
      else transfers.fetched(fetch.nodeId, fetch.file.path);
    }
    assert.equal(fromHub, needed.size, `round ${round}`);
  }
});

test('what is missing on a disk is told with the arithmetic', () => {
  assert.equal(spaceShortage('studio-2', 0, 0, 2e9, '/cache'), undefined);
  assert.equal(spaceShortage('studio-2', 5e9, 7e9, 2e9, '/cache'), undefined);
  assert.equal(
    spaceShortage('studio-2', 64.1e9, 50e9, 2e9, '/cache'),
    'studio-2 is to receive 64.10 GB, and 2.00 GB stay free, but the disk of /cache has 50.00 GB: 16.10 GB are missing',
  );
});
