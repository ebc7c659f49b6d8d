// Where this package lies: the same answer from the sources, from dist/ and from an installed tarball.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface PackageFacts {
  root: string;
  version: string;
  /** the Node versions that it runs on: `>=22.18` */
  engines: string;
}

/**
 * The folder that holds Espalier's package.json, and what it says.
 * @throws Error when the file was removed from above this module
 */
export function packageFacts(): PackageFacts {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const file = join(dir, 'package.json');
    if (existsSync(file)) {
      const json: { version: string; engines: { node: string } } = JSON.parse(readFileSync(file, 'utf8'));
      return { root: dir, version: json.version, engines: json.engines.node };
    }
    if (dir === dirname(dir)) throw new Error(`no package.json lies above ${import.meta.url}`);
  }
}

/** The demo model that comes with the package. */
export function demoModelDir(): string {
  return join(packageFacts().root, 'scripts', 'demo-model', 'espalier-demo');
}
