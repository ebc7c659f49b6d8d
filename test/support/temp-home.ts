// Folders for homes that go with the test process.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = mkdtempSync(join(tmpdir(), 'espalier-homes-'));
process.once('exit', () => rmSync(root, { recursive: true, force: true }));
let count = 0;

/** The path of a home that does not exist yet. */
export function tempHome(): string {
  return join(root, String(++count));
}
