// Which requests nobody waits for: clients have the model write titles, tags and follow-up questions beside a
// conversation, with the same endpoint. Those go behind the conversations, and do not think unless they ask for it.
// It must not know dialects.
import type { ChatMessage, Conversation } from '../chat-request.ts';

/** What such prompts say, as it stands in the sources of the clients that are named. */
const JOBS: readonly RegExp[] = [
  // Open WebUI: titles, tags, follow-ups, search queries, emojis, completions all begin with this heading
  /^### Task:\s*\n/,
  // LibreChat: with and without structured answers, and in assistants
  /provide a concise, 5-word-or-less title for the conversation/i,
  /analyze this conversation and provide:\s*1\. The detected language/i,
  /please generate a concise title \(max 40 characters\) for a conversation/i,
  // Continue
  /please reply with a title for the chat/i,
  // Claude Code: its older versions and the newer ones
  /analyze if this message indicates a new conversation topic/i,
  /summarize this coding conversation in under 50 characters/i,
  /generate a concise,[^.]{0,60} title [^.]{0,80} coding session/i,
];

/** Those that come as the last word of the conversation itself. */
const LAST_WORDS: readonly RegExp[] = [
  // Zed
  /^generate a concise 3-7 word title for this conversation/i,
];

/** Most jobs come without a history: a system text and one message. */
const MAX_MESSAGES = 3;
/** The words that tell stand at the beginning or at the end; what is between may be a whole conversation. */
const SEARCHED_CHARS = 1_500;

/** Whether a conversation is a job of the client's own. */
export function isBackgroundJob(messages: readonly ChatMessage[]): boolean {
  const last = messages.at(-1);
  if (last?.role === 'user' && saysOne(last.content, LAST_WORDS)) return true;
  const hasHistory = messages.some(({ role }) => role === 'assistant' || role === 'tool');
  if (hasHistory || messages.length > MAX_MESSAGES) return false;
  return messages.some(({ content }) => saysOne(content, JOBS));
}

function saysOne(content: string, jobs: readonly RegExp[]): boolean {
  const text = content.trimStart();
  const ends = [text.slice(0, SEARCHED_CHARS), text.slice(-SEARCHED_CHARS)];
  return jobs.some((job) => ends.some((end) => job.test(end)));
}

/**
 * Puts a conversation in its lane.
 * @param asked what the client itself says of it: OpenAI's service_tier `flex` means what nobody waits for
 */
export function inLane<Chat extends Conversation>(
  chat: Chat,
  asked?: string | null,
): Chat & { isBackground: boolean } {
  const isJob = isBackgroundJob(chat.messages);
  const isBackground = isJob || asked === 'flex';
  return { ...chat, isBackground, thinking: chat.thinking ?? (isJob ? false : undefined) };
}
