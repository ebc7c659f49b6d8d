// The thread of grammar-thread.ts: compiles each grammar and looks whether an answer can begin with it at all.
import { parentPort, workerData } from 'node:worker_threads';
import { readVocabulary } from '../protocol/vocabulary.ts';
import { GrammarCompiler } from '../protocol/xgrammar.ts';
import type { JobAnswer } from './job-thread.ts';

/** What XGrammar says of its own when it gives up: the reason, after the place in its source. */
const FATAL = /\[FATAL\] \S+: (?:Check failed: \(.*?\) is false: )?(.*)/;
/** A reason may quote the whole schema. */
const MAX_REASON_CHARS = 300;

let said = '';
// XGrammar tells the reason to nobody else
console.error = (...texts: unknown[]) => {
  said += `${texts.join(' ')}\n`;
};

const vocabulary = await readVocabulary(String(workerData));
const size = vocabulary.tokens.length;
/** any token: it only has to be one that ends an answer */
const stopIds = [...vocabulary.hidden].slice(0, 1);
let compiler: GrammarCompiler | undefined;

parentPort?.on('message', async (structuralTag: string) => {
  const answer = await check(structuralTag);
  parentPort?.postMessage(answer);
});

async function check(structuralTag: string): Promise<JobAnswer<true>> {
  said = '';
  try {
    compiler ??= await GrammarCompiler.of(vocabulary, size, stopIds);
    using matcher = await compiler.matcher(structuralTag, stopIds);
    const allowed = await matcher.allowed();
    if (allowed.some((bits) => bits !== 0)) return { value: true };
    return { error: 'The schema allows no answer at all: nothing can be both of what it demands.' };
  } catch {
    const reason = FATAL.exec(said)?.[1] ?? 'it is nested too deeply, or too large';
    return { error: `The schema cannot be enforced: ${reason.slice(0, MAX_REASON_CHARS)}.` };
  }
}
