// One question asked and its whole answer as a value, for scripts.
import type { Answer, Asker } from './answer.ts';
import { type ChatQuestion, streamChat } from './stream.ts';

export interface WholeAnswer extends Answer {
  /** empty where the model does not think, or where it was told not to */
  reasoning: string;
}

/** An abort of `signal` ends it with what there is. @throws EspalierError controller_unreachable, ApiError */
export async function collectAnswer(
  { controllerUrl, settings }: Omit<Asker, 'output'>,
  messages: ChatQuestion['messages'],
  signal: AbortSignal,
): Promise<WholeAnswer> {
  const text = { content: '', reasoning: '' };
  try {
    for await (const piece of streamChat(controllerUrl, { ...settings, messages }, signal)) {
      if (piece.kind !== 'end') text[piece.kind] += piece.text;
    }
    return { ...text, cancelled: false };
  } catch (error) {
    if (!signal.aborted) throw error;
    return { ...text, cancelled: true };
  }
}
