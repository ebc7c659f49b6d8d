// Entry of the worker of a draft on a node of its own, a child process of an agent.
import { runDraft } from './run-worker.ts';

runDraft();
