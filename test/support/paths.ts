// Where things are in the checkout, seen from the compiled tests.
import { fileURLToPath } from 'node:url';

export const projectDir = fileURLToPath(new URL('../../../', import.meta.url));
export const fixturesDir = fileURLToPath(new URL('../../../test/fixtures/', import.meta.url));
export const demoModelDir = fileURLToPath(
  new URL('../../../scripts/demo-model/espalier-demo/', import.meta.url),
).replace(/\/$/, '');
export const cliFile = fileURLToPath(new URL('../../scripts/cli/main.js', import.meta.url));
