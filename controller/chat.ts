// One chat as the controller sees it, whatever dialect it came in: an admitted chat in, its events out.
// It must not know HTTP or any dialect's field names.
import { EspalierError } from '../protocol/errors.ts';
import type { AdmittedChat } from './chat-admission.ts';
import type { ChatEvent, ChatUsage } from './chat-request.ts';
import { ChatText } from './chat-text.ts';
import type { TokenSource } from './token-source.ts';

/**
 * Generates an admitted chat. Breaking off, a stop string or an aborted `signal` cancels it on the stages.
 * @param onNotice is told when the tokens pause because the cluster recovers from a loss, and when they go on
 * @param client the program that asks, for whoever looks at the status
 * @throws EspalierError while iterating, as the source does; the signal's reason when it was aborted
 */
export async function* runChat(
  chat: AdmittedChat,
  source: TokenSource,
  signal: AbortSignal,
  onNotice?: (text: string) => void,
  client?: string,
): AsyncGenerator<ChatEvent, void, undefined> {
  const text = new ChatText(chat);
  const promptTokens = chat.generation.promptIds.length;
  const usage: ChatUsage = { promptTokens, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 };
  try {
    for await (const event of source.generate(chat.generation, signal, onNotice, client)) {
      const { token, finish, cachedTokens } = event;
      usage.cachedTokens += cachedTokens ?? 0;
      if (token !== null) {
        usage.completionTokens++;
        // yield* over a list would wait for each of its elements
        for (const shown of text.push(event, token)) yield shown;
      }
      if (finish !== null && text.stopString === undefined) for (const shown of text.end()) yield shown;
      const isStopped = text.stopString !== undefined;
      if (finish === null && !isStopped) continue;
      usage.reasoningTokens = text.reasoningTokens;
      const reason = isStopped ? 'stop' : (finish ?? 'stop');
      yield {
        kind: 'finish',
        reason: reason === 'stop' && text.hasCalls ? 'tool-calls' : reason,
        stopString: text.stopString,
        usage,
      };
      return;
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
  signal.throwIfAborted();
  throw new EspalierError('engine_failed', 'The tokens of this request ended without a finish.');
}
