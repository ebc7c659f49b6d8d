// Identities for tests, made by the product's own code in a folder that goes with the process.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Identity, loadIdentity } from '../../protocol/identity.ts';

const folder = mkdtempSync(join(tmpdir(), 'espalier-identities-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
let count = 0;

/** One that nobody has had before. */
export function newIdentity(): Promise<Identity> {
  return loadIdentity(join(folder, String(++count)), 'agent');
}
