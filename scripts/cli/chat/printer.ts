// An answer on its way to a terminal or a pipe: the thinking dimmed and framed by words, then the answer as it is.
// It knows streams and pieces; where the pieces come from is not its business.
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { ChatPiece } from './stream.ts';

/** Like process.stdout: a stream that may be a terminal. */
export type Output = Writable & { isTTY?: boolean };

export interface PrinterOptions {
  stdout: Output;
  stderr: Output;
  /** show the thinking even where no terminal is */
  thinking: boolean;
}

export interface AnswerPrinter {
  piece(piece: ChatPiece): void;
  /** Ends the last line; also when the answer was broken off. */
  close(): void;
}

/**
 * A printer for one answer. On a terminal the thinking goes to stdout too; in a pipe stdout holds the answer alone,
 * and the thinking goes to stderr where that is a terminal or `thinking` is set.
 */
export function createPrinter({ stdout, stderr, thinking }: PrinterOptions): AnswerPrinter {
  const thoughts = stdout.isTTY ? stdout : stderr;
  const showThoughts = thinking || thoughts.isTTY;
  let phase: 'before' | 'reasoning' | 'content' = 'before';
  let lineOpen = false;

  const dim = (text: string) => thoughts.write(styleText('dim', text, { stream: thoughts }));
  const endThoughts = () => {
    if (phase === 'reasoning' && showThoughts) dim(`${lineOpen ? '\n' : ''}…done thinking.\n\n`);
    lineOpen = false;
  };
  const print = (kind: 'reasoning' | 'content', text: string) => {
    if (kind === 'reasoning') {
      if (!showThoughts) return;
      if (phase !== 'reasoning') dim('Thinking…\n');
      dim(text);
    } else {
      endThoughts();
      stdout.write(text);
    }
    phase = kind;
    lineOpen = !text.endsWith('\n');
  };

  return {
    piece(piece) {
      if (piece.kind !== 'end') {
        const text = harmless(piece.text);
        if (text !== '') print(piece.kind, text);
        return;
      }
      if (piece.reason !== 'length') return;
      this.close();
      stderr.write('(cut off: the token limit is reached; --max-tokens raises it)\n');
    },
    close() {
      if (lineOpen) (phase === 'content' ? stdout : thoughts).write('\n');
      lineOpen = false;
    },
  };
}

/** Model output without what a terminal would obey: all control characters but line breaks and tabs. */
function harmless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, '');
}
