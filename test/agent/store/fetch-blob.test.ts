// Fetching one file of a hub that misbehaves in every way that hubs and disks do. The hub is real HTTP on this machine.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { appendFile, readFile, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ModelCache } from '../../../agent/store/cache.ts';
import { type FetchOptions, fetchBlob } from '../../../agent/store/fetch-blob.ts';
import { Hub } from '../../../agent/store/hub.ts';
import { hubSettings } from '../../../agent/store/hub-settings.ts';
import { RateLimit } from '../../../agent/store/rate-limit.ts';
import type { ModelDescription, ModelFile } from '../../../protocol/models.ts';
import { type HubFault, LocalHub } from '../../../scripts/hub/local-hub.ts';
import { ALL_CASES } from '../../support/all-cases.ts';
import { tempHome } from '../../support/temp-home.ts';

const REPO = 'tests/bytes';
const BYTES = 3_000_000;
const TIMES = { stallMs: 300, retryMs: 5, maxRetryMs: 20, giveUpMs: 600 };
const KILLS = ALL_CASES ? 50 : 5;
const child = fileURLToPath(new URL('./fetch-entry.js', import.meta.url));

describe('fetching a file', () => {
  const root = tempHome();
  const weights = randomBytes(BYTES);
  const nobody = new AbortController().signal;
  let hub: LocalHub;
  let model: ModelDescription;
  let file: ModelFile;
  let cache: ModelCache;

  before(async () => {
    mkdirSync(join(root, 'repo'), { recursive: true });
    writeFileSync(join(root, 'repo', 'model.safetensors'), weights);
    writeFileSync(join(root, 'repo', 'config.json'), '{"small": true}');
    writeFileSync(join(root, 'repo', 'modeling.py'), 'import os');
    hub = await LocalHub.up({ repos: { [REPO]: join(root, 'repo') } });
    model = await new Hub(settings()).describe(REPO, 'main', nobody);
    file = model.files.find(({ path }) => path === 'model.safetensors') as ModelFile;
  });
  after(() => hub.down());
  let nth = 0;
  beforeEach(() => {
    nth += 1;
    hub.fault = undefined;
    hub.sentBytes.clear();
    cache = new ModelCache(join(root, `cache-${nth}`));
  });

  const settings = () => hubSettings({ HF_ENDPOINT: hub.url, HF_HOME: join(root, 'home') });
  const fetch = (options: Partial<FetchOptions> = {}) =>
    fetchBlob(cache, model, file, new Hub(settings()).file(model, file), {
      signal: nobody,
      times: TIMES,
      reserveBytes: 0,
      ...options,
    });
  /** each fault once, then none */
  const faults = (...list: HubFault[]) => {
    hub.fault = () => list.shift();
  };
  const blob = () => cache.blobPath(REPO, file.blob);
  const isRight = async () => {
    const named = join(cache.snapshotDir(model), file.path);
    assert.deepEqual(await readFile(named), weights);
    assert.ok(await cache.holds(model, file));
    assert.ok(!existsSync(cache.partialPath(REPO, file.blob)));
    assert.ok(!existsSync(cache.lockPath(REPO, file.blob)));
  };

  test('only weights, JSON and templates are files of a model, and code is none', () => {
    assert.deepEqual(model.files.map(({ path }) => path).sort(), ['config.json', 'model.safetensors']);
    assert.equal(model.commit, hub.commit(REPO));
    assert.equal(model.licence, 'mit');
  });

  test('it lies in the standard layout, verified, and is not fetched again', async () => {
    assert.equal(await fetch(), BYTES);
    await isRight();
    assert.equal(await fetch(), 0);
    assert.equal(hub.totalSentBytes, BYTES);
    const [small] = model.files.filter(({ path }) => path === 'config.json');
    assert.equal(small?.blob.length, 40, "git's name");
    await fetchBlob(cache, model, small as ModelFile, new Hub(settings()).file(model, small as ModelFile), {
      signal: nobody,
      reserveBytes: 0,
    });
    assert.ok(await cache.holds(model, small as ModelFile));
  });

  test('connections that break, and truncated answers, cost no byte twice', async () => {
    faults(
      { kind: 'cut', afterBytes: 1_000_000 },
      { kind: 'cut', afterBytes: 1 },
      { kind: 'cut', afterBytes: 0 },
    );
    await fetch();
    await isRight();
    assert.ok(hub.totalSentBytes <= BYTES + 3 * 65_536, `${hub.totalSentBytes} bytes were sent`);
  });

  test('429 and 503 are waited for, as long as Retry-After says', async () => {
    faults(
      { kind: 'status', status: 429, headers: { 'retry-after': '0.05' } },
      { kind: 'status', status: 503 },
      { kind: 'cut', afterBytes: 500_000 },
      { kind: 'status', status: 500 },
    );
    await fetch();
    await isRight();
  });

  test('a hub that stands still is asked anew, and goes on from there', async () => {
    faults({ kind: 'stall', afterBytes: 700_000 });
    await fetch();
    await isRight();
    assert.ok(hub.totalSentBytes <= BYTES + 65_536);
  });

  test('a hub that never gives anything is given up, by name', async () => {
    hub.fault = () => ({ kind: 'status', status: 503 });
    await assert.rejects(fetch(), {
      code: 'model_fetch_failed',
      message: /model\.safetensors of tests\/bytes could not be fetched from the hub: .*503/,
    });
    hub.fault = () => ({ kind: 'status', status: 404 });
    await assert.rejects(fetch(), { code: 'model_not_on_hub' });
    hub.fault = () => ({ kind: 'status', status: 403 });
    await assert.rejects(fetch(), { code: 'model_access_denied' });
  });

  test('a corrupted file is named, never seen, and fetched whole the next time', async () => {
    hub.fault = () => ({ kind: 'corrupt', atByte: 1_234_567 });
    await assert.rejects(fetch(), {
      code: 'model_file_damaged',
      message: /model\.safetensors of tests\/bytes.*sha256/,
    });
    assert.ok(!existsSync(blob()));
    assert.ok(!existsSync(cache.partialPath(REPO, file.blob)));
    hub.fault = undefined;
    await fetch();
    await isRight();
  });

  test('what an earlier process left is gone on from; where it is damaged, once more from nothing', async () => {
    await cache.prepare(REPO);
    await appendFile(cache.partialPath(REPO, file.blob), weights.subarray(0, 2_000_000));
    assert.equal(await fetch(), BYTES - 2_000_000);
    await isRight();
    rmSync(blob());
    await appendFile(cache.partialPath(REPO, file.blob), Buffer.alloc(2_000_000));
    await fetch();
    await isRight();
  });

  test('a file of another tool is verified before it counts, and a wrong one is replaced', async () => {
    await cache.prepare(REPO);
    writeFileSync(blob(), weights);
    assert.ok(!(await cache.holds(model, file)), 'not before it was read');
    assert.equal(await fetch(), 0);
    await isRight();
    truncateSync(blob(), 100);
    assert.ok(!(await cache.holds(model, file)), 'a file that changed is not what was verified');
    assert.equal(await fetch(), BYTES);
    await utimes(blob(), 1, 1);
    assert.ok(!(await cache.holds(model, file)));
    assert.equal(await fetch(), 0, 'it is read, and is right');
  });

  test('five fetches of one file are one', async () => {
    const bytes = await Promise.all(Array.from({ length: 5 }, () => fetch()));
    assert.deepEqual(
      bytes.filter((each) => each > 0),
      [BYTES],
    );
    assert.equal(hub.totalSentBytes, BYTES);
    await isRight();
  });

  test('too little space is told before a byte is fetched, with the arithmetic', async () => {
    const free = await cache.freeBytes();
    await assert.rejects(fetch({ reserveBytes: free }), {
      code: 'disk_full',
      message: /3000000 bytes more.*are missing/,
    });
    assert.equal(hub.totalSentBytes, 0);
  });

  test('a disk that fills while it is fetched: the error names the file, and space is all it needs', async (t) => {
    const small = join(root, 'small-disk');
    mkdirSync(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', small], { stdio: 'pipe' });
    } catch (error) {
      t.skip(`no small disk can be mounted here: ${(error as Error).message.split('\n')[0]}`);
      return;
    }
    try {
      cache = new ModelCache(small);
      // as if the space went after it was looked at
      cache.freeBytes = async () => Number.MAX_SAFE_INTEGER;
      await assert.rejects(fetch(), { code: 'disk_full', message: /\.part/ });
      assert.ok(!existsSync(blob()));
      execFileSync('mount', ['-o', 'remount,size=8m', small]);
      await fetch();
      await isRight();
      assert.ok(hub.totalSentBytes < BYTES + 2_000_000, 'what fitted was not fetched again');
    } finally {
      execFileSync('umount', [small]);
    }
  });

  test('a rate limit holds', async () => {
    const began = performance.now();
    await fetch({ limit: new RateLimit(6_000_000) });
    // half a second, less the burst that is allowed: a floor, which load cannot lower
    assert.ok(performance.now() - began > 200, 'it was faster than the limit');
    await isRight();
  });

  test(`killed ${KILLS} times at random moments, it ends verified`, { timeout: 120_000 }, async () => {
    const slow = await LocalHub.up({ repos: { [REPO]: join(root, 'repo') }, bytesPerSecond: 4_000_000 });
    const env = { ...process.env, HF_ENDPOINT: slow.url };
    const run = () => {
      const given = JSON.stringify({ cacheDir: cache.folder, model, file });
      return spawn(process.execPath, [child, given], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    };
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        const one = run();
        const ended = new Promise((resolve) => one.once('exit', resolve));
        await new Promise((resolve) => one.stdout.once('data', resolve));
        setTimeout(() => one.kill('SIGKILL'), Math.random() * 120);
        await ended;
        assert.ok(!existsSync(blob()) || (await stat(blob())).size === BYTES, 'a file that is seen is whole');
      }
      const last = run();
      assert.equal(await new Promise((resolve) => last.once('exit', resolve)), 0);
      await isRight();
    } finally {
      await slow.down();
    }
  });
});
