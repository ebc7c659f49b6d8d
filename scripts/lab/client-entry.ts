// A client of the API as a process of its own, because it lives in a Mac's network: asks questions over several streams at
// once, one after the other on each, and writes what becomes of each answer as a line of JSON. Ends when its standard
// input does.
import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { z } from 'zod';
import { type ClientAnswer, ClientTask } from './client-words.ts';

const Chunk = z.object({
  choices: z
    .array(
      z.object({
        delta: z.object({ content: z.string().nullish(), reasoning_content: z.string().nullish() }),
        finish_reason: z.string().nullish(),
      }),
    )
    .optional(),
  error: z.object({ message: z.string() }).optional(),
});

/** After an error the next question waits a moment: a cluster that cannot serve refuses at once. */
const AFTER_ERROR_MS = 300;

async function ask(task: ClientTask, stream: number, question: number): Promise<ClientAnswer> {
  const answer: ClientAnswer = {
    ...{ stream, question, text: '', reasoning: '', finish: null, error: null, comments: [] },
    ...{ from: Date.now(), to: 0, longestPauseMs: 0 },
  };
  let last = performance.now();
  const parser = createParser({
    onComment: (text) => answer.comments.push(text.trim()),
    onEvent: ({ data }) => {
      if (data === '[DONE]') return;
      const { choices, error } = Chunk.parse(JSON.parse(data));
      if (error) answer.error = error.message;
      const [choice] = choices ?? [];
      if (!choice) return;
      const now = performance.now();
      answer.longestPauseMs = Math.max(answer.longestPauseMs, now - last);
      last = now;
      answer.text += choice.delta.content ?? '';
      answer.reasoning += choice.delta.reasoning_content ?? '';
      answer.finish = choice.finish_reason ?? answer.finish;
    },
  });
  try {
    const response = await fetch(`${task.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: task.questions[question], temperature: 0, stream: true }),
    });
    if (!response.ok || !response.body) answer.error = (await response.text()).slice(0, 2_000);
    else {
      const decoder = new TextDecoder();
      for await (const bytes of response.body) parser.feed(decoder.decode(bytes, { stream: true }));
    }
  } catch (error) {
    answer.error ??=
      error instanceof Error ? `${error.message} (${String(error.cause ?? '')})` : String(error);
  }
  answer.to = Date.now();
  return answer;
}

let isOver = false;

async function run(task: ClientTask, stream: number): Promise<void> {
  for (let turn = 0; !isOver; turn++) {
    const question = (stream + turn * task.streams) % task.questions.length;
    const answer = await ask(task, stream, question);
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    if (answer.error !== null) await delay(AFTER_ERROR_MS);
  }
}

const task = ClientTask.parse(JSON.parse(process.argv[2] ?? ''));
process.stdin.resume().on('end', () => {
  isOver = true;
});
await Promise.all(Array.from({ length: task.streams }, (_, stream) => run(task, stream)));
