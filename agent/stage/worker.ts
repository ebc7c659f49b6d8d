// Entry of a stage worker, a child process of an agent.
import { runWorker } from './run-worker.ts';

runWorker();
