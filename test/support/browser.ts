// A headless Chromium, where this machine has one: Debian's, or one that CHROMIUM names. Nothing is downloaded.
import { existsSync } from 'node:fs';
import type { Browser } from 'playwright-core';

const PLACES = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

export const browserPath = [process.env.CHROMIUM, ...PLACES].find((path) => path && existsSync(path));

/** Why tests in a browser are left out; false where there is one. */
export const skipBrowser =
  browserPath === undefined ? 'there is no Chromium here: apt-get install chromium-headless-shell' : false;

export async function startBrowser(): Promise<Browser> {
  const { chromium } = await import('playwright-core');
  return chromium.launch({
    ...(browserPath !== undefined && { executablePath: browserPath }),
    // as root Chromium has no sandbox; /dev/shm is small in containers
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    timeout: 30_000,
  });
}
