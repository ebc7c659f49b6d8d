// A question typed at a terminal: one line, or several when they are pasted at once.
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export type Typed = { kind: 'question'; text: string } | { kind: 'interrupt' } | { kind: 'leave' };

/** Lines that come this close together were pasted, not typed. */
const PASTE_GAP_MS = 30;
const MAX_HISTORY = 200;

export interface Prompt {
  /** Asks once. Ctrl-C clears a line that holds text and is an interrupt otherwise; Ctrl-D leaves. */
  ask(): Promise<Typed>;
}

/**
 * A prompt over a terminal. The terminal is only taken while `ask` waits, so that between questions Ctrl-C is a
 * signal again and output is not disturbed. Earlier questions come back with the arrow keys.
 */
export function createPrompt(input: Readable, output: Writable): Prompt {
  let history: string[] = [];
  return {
    async ask() {
      const lines: string[] = [];
      const reader = createInterface({
        input,
        output,
        prompt: '> ',
        terminal: true,
        history,
        historySize: MAX_HISTORY,
        removeHistoryDuplicates: true,
      });
      reader.on('history', (entries) => {
        history = entries;
      });
      const { promise, resolve } = Promise.withResolvers<Typed>();
      let pasteTimer: NodeJS.Timeout | undefined;
      const submit = () => {
        // a paste without a last line break leaves its end in the line: Enter will bring it
        if (reader.line === '') resolve({ kind: 'question', text: lines.join('\n').trim() });
      };
      reader.on('line', (line) => {
        lines.push(line);
        clearTimeout(pasteTimer);
        pasteTimer = setTimeout(submit, PASTE_GAP_MS);
      });
      reader.on('SIGINT', () => {
        output.write('\n');
        if (reader.line === '' && lines.length === 0) {
          resolve({ kind: 'interrupt' });
          return;
        }
        lines.length = 0;
        clearTimeout(pasteTimer);
        reader.write(null, { ctrl: true, name: 'e' });
        reader.write(null, { ctrl: true, name: 'u' });
        reader.prompt();
      });
      reader.on('close', () => resolve({ kind: 'leave' }));
      reader.prompt();
      const typed = await promise;
      clearTimeout(pasteTimer);
      reader.close();
      return typed;
    },
  };
}
