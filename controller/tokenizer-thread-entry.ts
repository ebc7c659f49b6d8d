// The thread of tokenizer-thread.ts: loads a tokenizer and answers each text with its ids.
import { parentPort, workerData } from 'node:worker_threads';
import type { JobAnswer } from './job-thread.ts';
import { loadTokenizer } from './tokenizer.ts';

const tokenizer = await loadTokenizer(String(workerData));

parentPort?.on('message', (text: string) => {
  const answer = encode(text);
  parentPort?.postMessage(answer, 'value' in answer ? [answer.value.buffer] : []);
});

function encode(text: string): JobAnswer<Uint32Array<ArrayBuffer>> {
  try {
    return { value: Uint32Array.from(tokenizer.encode(text)) };
  } catch (error) {
    return { error: `A text could not be tokenized: ${(error as Error).message}` };
  }
}
