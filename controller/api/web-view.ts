// The web view: a page that reads the public status stream. It holds no figures itself, so that strangers may have it; what it
// shows takes a key where the API does. It must not know what a status holds.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';

export const WEB_VIEW_PATH = '/ui';

const FILES = {
  '': ['index.html', 'text/html; charset=utf-8'],
  'style.css': ['style.css', 'text/css; charset=utf-8'],
  'icon.svg': ['icon.svg', 'image/svg+xml'],
  ...Object.fromEntries(
    ['page.js', 'stages.js', 'stream.js', 'graph.js', 'format.js', 'dom.js'].map((name) => [
      name,
      [name, 'text/javascript; charset=utf-8'],
    ]),
  ),
} as const satisfies Record<string, readonly string[]>;

/** Nothing but its own files and its own stream; nobody may frame it, and a key never leaves by a referrer. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
};

/** @throws Error when the files are not where this package has them */
export function webViewRoutes(app: FastifyInstance): void {
  const folder = filesFolder();
  for (const [path, [file = '', type = '']] of Object.entries(FILES)) {
    const body = readFileSync(join(folder, file));
    const summary = path === '' ? 'The web view: the cluster live in a browser' : 'A file of the web view';
    const url = path === '' ? WEB_VIEW_PATH : `${WEB_VIEW_PATH}/${path}`;
    app.get(url, { config: { access: 'anything', summary } }, (_request, reply) =>
      reply.headers(HEADERS).type(type).send(body),
    );
  }
}

/** They are not compiled: the same folder serves the sources, dist/ and an installed package. */
function filesFolder(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); dir !== dirname(dir); dir = dirname(dir)) {
    const folder = join(dir, 'controller', 'web');
    if (existsSync(join(folder, 'index.html'))) return folder;
  }
  throw new Error(`the web view's files lie nowhere above ${import.meta.url}`);
}
