// Whether the tests of the lab run here.
import { noLab } from '../../scripts/lab/lab.ts';

/** Why they do not, or false. For `node:test`'s `skip`. */
export async function skipLab(): Promise<string | false> {
  if (process.env.ESPALIER_LAB !== '1') return 'it takes minutes and both processors: ESPALIER_LAB=1 runs it';
  return noLab();
}
