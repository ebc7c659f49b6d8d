// A conversation at a terminal: questions and answers in turn, with what was said before sent along.
import type { Readable, Writable } from 'node:stream';
import { EspalierError, explain } from '../../../protocol/errors.ts';
import { MAX_CHAT_MESSAGES } from '../../../protocol/limits.ts';
import { ApiError } from '../api-error.ts';
import { type Asker, printAnswer } from './answer.ts';
import { createPrompt } from './prompt.ts';
import type { ChatMessage } from './stream.ts';

interface Options extends Asker {
  input: Readable;
  /** where the prompt and what is said about the conversation go */
  screen: Writable;
  /** Calls back when Ctrl-C is pressed while an answer runs, until the returned function is called. */
  onInterrupt(listener: () => void): () => void;
}

const GREETING = 'Ask away. Ctrl-C stops an answer, twice leaves; so does Ctrl-D.\n';

/** Runs until the user leaves. An answer that fails is explained, and the conversation goes on without it. */
export async function converse(options: Options): Promise<void> {
  const { input, screen } = options;
  const prompt = createPrompt(input, screen);
  const history: ChatMessage[] = [];
  let interrupted = false;
  screen.write(GREETING);
  for (;;) {
    const typed = await prompt.ask();
    if (typed.kind === 'leave' || (typed.kind === 'interrupt' && interrupted)) {
      if (typed.kind === 'leave') screen.write('\n');
      return;
    }
    if (typed.kind === 'interrupt') {
      interrupted = true;
      screen.write('(Ctrl-C again leaves)\n');
      continue;
    }
    if (typed.text === '') continue;
    interrupted = await turn(options, history, typed.text);
    screen.write('\n');
  }
}

/** One question and its answer; both join the history unless nothing was answered. @returns whether it was cancelled */
async function turn(options: Options, history: ChatMessage[], question: string): Promise<boolean> {
  const { screen, onInterrupt } = options;
  const stop = new AbortController();
  const forget = onInterrupt(() => stop.abort());
  const asked: ChatMessage = { role: 'user', content: question };
  try {
    const answer = await printAnswer(options, [...history, asked], stop.signal);
    if (answer.cancelled) screen.write('(stopped; Ctrl-C again leaves)\n');
    if (answer.content !== '') history.push(asked, { role: 'assistant', content: answer.content });
    // the oldest turns go first, in pairs, so that a user's message stays the first
    while (history.length >= MAX_CHAT_MESSAGES) history.splice(0, 2);
    return answer.cancelled;
  } catch (error) {
    if (error instanceof EspalierError) screen.write(`${explain(error)}\n`);
    else if (error instanceof ApiError) screen.write(`${error.message}\n`);
    else throw error;
    return false;
  } finally {
    forget();
  }
}
