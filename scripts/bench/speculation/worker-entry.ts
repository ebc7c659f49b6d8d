// Entry of the bench's stage workers: as the usual one, but their guesses are spoilt to the yield that the environment names.
import { runWorker } from '../../../agent/stage/run-worker.ts';
import { SpoiltSource } from './spoilt-source.ts';
import { YIELD_VARIABLE } from './yield-variable.ts';

const spoiltShare = 1 - Number(process.env[YIELD_VARIABLE] ?? 1);
runWorker((sources) => sources.map((source) => new SpoiltSource(source, spoiltShare)));
