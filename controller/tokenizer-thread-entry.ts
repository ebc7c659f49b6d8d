// The thread of tokenizer-thread.ts: loads a tokenizer and answers each text with its ids.
import { parentPort, workerData } from 'node:worker_threads';
import { loadTokenizer } from './tokenizer.ts';
import type { EncodeAnswer } from './tokenizer-thread.ts';

const tokenizer = await loadTokenizer(String(workerData));

parentPort?.on('message', (text: string) => {
  const answer = encode(text);
  parentPort?.postMessage(answer, 'ids' in answer ? [answer.ids.buffer] : []);
});

function encode(text: string): EncodeAnswer {
  try {
    return { ids: Uint32Array.from(tokenizer.encode(text)) };
  } catch (error) {
    return { error: `A text could not be tokenized: ${(error as Error).message}` };
  }
}
