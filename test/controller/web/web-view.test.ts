// The web view in a real browser, served by a real API: what it shows, that strangers' names stay text, that it can be used by
// keys and on a phone, that a key gets in and leaks nowhere, and that it survives its controller.
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { Access } from '../../../controller/api/access.ts';
import { ApiKeys } from '../../../controller/trust/api-keys.ts';
import type { ClusterStatus } from '../../../protocol/status.ts';
import { sampleLost, sampleNode, sampleStage, sampleStatus } from '../../dashboard/sample.ts';
import { skipBrowser, startBrowser } from '../../support/browser.ts';
import { tempHome } from '../../support/temp-home.ts';
import { startApi } from '../api/api-under-test.ts';

/** For the browser, which shares two cores with other tests. */
const PATIENCE_MS = 20_000;

describe('in a browser', { skip: skipBrowser }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser?.close());

  async function open(t: TestContext, url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext(options);
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // what the network did not give is the page's business, and told on it
      if (message.type() === 'error' && !/WebSocket|Failed to load resource/.test(message.text()))
        complaints.push(message.text());
    });
    t.after(() => assert.deepEqual(complaints, []));
    await page.goto(`${url}/ui`);
    return page;
  }

  async function serve(t: TestContext, status: ClusterStatus) {
    const api = await startApi(t, { statusIntervalMs: 50 });
    api.setStatus(status);
    return api;
  }

  const waitForText = (page: Page, selector: string, text: string) =>
    page.locator(selector, { hasText: text }).first().waitFor();

  test('shows each stage with its figures, the slowest marked, the requests, and what changes', async (t) => {
    const api = await serve(
      t,
      sampleStatus({ stages: [0, 1, 2].map((i) => sampleStage(i, { stepTimeMs: i === 1 ? 90 : 40 })) }),
    );
    const page = await open(t, api.url);
    await waitForText(page, '#state', 'serving');
    await waitForText(page, '#now', '14.2');
    const cards = page.locator('#stages > li');
    assert.equal(await cards.count(), 3);
    assert.match(await cards.nth(1).innerText(), /studio-2\s+slowest[\s\S]*90 ms\s+layers\s+10–19/);
    assert.equal(await page.locator('.stage.limit').count(), 1);
    assert.match(await page.locator('#requests').innerText(), /req-1\s+decode\s+812\s+340\s+7\.3\s+48 s/);
    api.setStatus(sampleLost());
    await waitForText(page, '#trouble', 'lack 41 GiB');
    await waitForText(page, '.stage.lost .badge', 'lost');
    await waitForText(page, '#idle', 'studio-4');
  });

  test('what strangers call themselves is text, and never markup', async (t) => {
    const evil = '<img src=x onerror="document.title=\'taken\'"><script>document.title="taken"</script>';
    const api = await serve(
      t,
      sampleStatus({
        nodes: [sampleNode(0, { name: evil, chip: evil }), sampleNode(1, { name: evil })],
        stages: [sampleStage(0, { node: evil })],
        reason: evil,
        requests: [{ id: evil, phase: 'decode', promptTokens: 1, tokens: 1, tokensPerSecond: 1, ageMs: 1 }],
        events: [{ at: 0, level: 'error', text: evil, fix: evil }],
        linkFindings: [{ id: 'x', severity: 'warn', text: evil, fix: evil }],
      }),
    );
    const page = await open(t, api.url);
    await waitForText(page, '#stages h3', '<img src=x');
    await waitForText(page, '#findings', 'onerror');
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.notEqual(await page.title(), 'taken');
  });

  test('by keys alone: past the header, and the picture stands still', async (t) => {
    const api = await serve(t, sampleStatus());
    const page = await open(t, api.url);
    await waitForText(page, '#now', '14.2');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.className'), 'skip');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('#pause').getAttribute('aria-pressed'), 'true');
    api.setStatus(sampleStatus({ tokensPerSecond: 77.7 }));
    await page.waitForTimeout(300); // several snapshots
    assert.equal(await page.locator('#now').innerText(), '14.2');
    await page.keyboard.press('Enter');
    await waitForText(page, '#now', '77.7');
  });

  test('fits a phone and a wall, in the dark and in the light', async (t) => {
    const name = 'a-very-long-name-of-a-mac-that-somebody-gave-in-good-faith-and-means';
    const api = await serve(
      t,
      sampleStatus({
        nodes: Array.from({ length: 6 }, (_, i) => sampleNode(i, { name: `${name}-${i}` })),
        stages: Array.from({ length: 6 }, (_, i) => sampleStage(i, { node: `${name}-${i}` })),
      }),
    );
    const grounds = new Set<unknown>();
    for (const [width, colorScheme] of [
      [320, 'light'],
      [390, 'dark'],
      [1280, 'dark'],
      [2560, 'light'],
    ] as const) {
      const page = await open(t, api.url, { viewport: { width, height: 800 }, colorScheme });
      await waitForText(page, '#stages', `${name}-5`);
      const beyond = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      assert.equal(beyond, 0, `at ${width} the page is ${beyond} pixels too wide`);
      grounds.add(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
    }
    assert.equal(grounds.size, 2);
  });

  test('a controller that goes: the last picture, greyed, and the next one when it is back', async (t) => {
    const first = await serve(t, sampleStatus());
    const page = await open(t, first.url);
    await waitForText(page, '#now', '14.2');
    await first.api.close();
    await waitForText(page, '#state', 'no controller');
    assert.equal(await page.locator('body.stale').count(), 1);
    assert.equal(await page.locator('#now').innerText(), '14.2');
    const again = await startApi(t, {}, first.at);
    again.setStatus(sampleStatus({ tokensPerSecond: 55.5 }));
    await waitForText(page, '#now', '55.5');
    assert.equal(await page.locator('body.stale').count(), 0);
  });

  test('off loopback: a key opens it, and is in no address', async (t) => {
    const keys = new ApiKeys(tempHome());
    const key = keys.create('phone', { isAdmin: false });
    const access = new Access({ host: '0.0.0.0', secret: 's'.repeat(43), keys, allowOrigins: [] });
    const api = await startApi(t, { access, statusIntervalMs: 50 });
    api.setStatus(sampleStatus());
    const page = await open(t, api.url);
    const addresses: string[] = [];
    page.on('request', (request) => addresses.push(request.url()));
    page.on('websocket', (socket) => addresses.push(socket.url()));
    await page.locator('#door').waitFor();
    assert.equal(await page.locator('main').isVisible(), false);
    await page.keyboard.type('espalier-wrong');
    await page.keyboard.press('Enter');
    await waitForText(page, '#trouble', 'This key opens nothing here.');
    await page.locator('#key').fill(key);
    await page.keyboard.press('Enter');
    await waitForText(page, '#now', '14.2');
    assert.ok(addresses.length > 2);
    assert.ok(
      addresses.every((address) => !address.includes(key)),
      `${addresses}`,
    );
    assert.ok(!page.url().includes(key));
    assert.deepEqual(await page.context().cookies(), []);
    // it is this tab's: another one is asked again
    const other = await page.context().newPage();
    await other.goto(`${api.url}/ui`);
    await other.locator('#door').waitFor();
    // a key that is revoked opens nothing any more
    keys.revoke('phone');
    await page.reload();
    await page.locator('#door').waitFor();
  });
});

test('the page itself is harmless: it may load nothing else, and nobody may frame it', async (t) => {
  const { url } = await startApi(t);
  const page = await fetch(`${url}/ui`);
  assert.equal(page.status, 200);
  const policy = page.headers.get('content-security-policy') ?? '';
  for (const part of [
    "default-src 'none'",
    "script-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
  ])
    assert.ok(policy.includes(part), part);
  assert.ok(!policy.includes('unsafe'));
  const html = await page.text();
  assert.ok(!/<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=/.test(html), 'nothing inline');
  for (const [, path = ''] of html.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
    const file = await fetch(url + path);
    assert.equal(file.status, 200, path);
    assert.equal(file.headers.get('x-content-type-options'), 'nosniff');
  }
});
