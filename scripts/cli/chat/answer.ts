// One question asked and its answer printed while it comes.
import { createPrinter, type PrinterOptions } from './printer.ts';
import { type ChatQuestion, streamChat } from './stream.ts';

export interface Answer {
  /** what belongs into the conversation's history: the answer without the thinking */
  content: string;
  /** broken off by the signal */
  cancelled: boolean;
}

export interface Asker {
  controllerUrl: string;
  settings: Omit<ChatQuestion, 'messages'>;
  output: PrinterOptions;
}

/**
 * Prints the answer to the last message. An abort of `signal` ends it without an error.
 * @throws EspalierError controller_unreachable, ApiError
 */
export async function printAnswer(
  { controllerUrl, settings, output }: Asker,
  messages: ChatQuestion['messages'],
  signal: AbortSignal,
): Promise<Answer> {
  const printer = createPrinter(output);
  let content = '';
  try {
    for await (const piece of streamChat(controllerUrl, { ...settings, messages }, signal)) {
      if (piece.kind === 'content') content += piece.text;
      printer.piece(piece);
    }
    return { content, cancelled: false };
  } catch (error) {
    if (!signal.aborted) throw error;
    return { content, cancelled: true };
  } finally {
    printer.close();
  }
}
