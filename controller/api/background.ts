// Which requests nobody waits for: clients have the model write titles, tags and follow-up questions beside a
// conversation, with the same endpoint. Those go behind the conversations, and do not think unless they ask for it.
// It must not know dialects.
import type { ChatMessage, Conversation } from '../chat-request.ts';

/** How such prompts begin, or what they demand: each from the source of the client that is named. */
const JOBS: readonly RegExp[] = [
  // Open WebUI: titles, tags, follow-ups, search queries, emojis, completions all begin with this heading
  /^### Task:\s*\n/,
  // LibreChat
  /provide a concise, \d+-word-or-less title for the conversation/i,
  /^please generate a (?:concise|short)[^.]{0,40} title/i,
  // Continue
  /reply with a title for the chat/i,
  // Zed
  /generate a concise \d+-\d+ word title for this conversation/i,
  // Claude Code
  /analyze if this message indicates a new conversation topic/i,
  /summarize this (?:coding )?conversation in under \d+ characters/i,
  /generate a (?:succinct|concise)[^.]{0,60} title (?:for|that captures) (?:this|a|the) (?:coding )?session/i,
  // SillyTavern, LobeChat and their like
  /^(?:summarize|generate) (?:a |the )?(?:short |concise )?(?:chat|conversation) title\b/i,
];

/** Such jobs come without a history: a system text and one message. */
const MAX_MESSAGES = 3;
/** The words that tell stand at the beginning or at the end; what is between may be a whole conversation. */
const SEARCHED_CHARS = 1_500;

/** Whether a conversation is a job of the client's own. */
export function isBackgroundJob(messages: readonly ChatMessage[]): boolean {
  if (
    messages.length > MAX_MESSAGES ||
    messages.some(({ role }) => role === 'assistant' || role === 'tool')
  ) {
    return false;
  }
  return messages.some(({ content }) => {
    const text = content.trimStart();
    const ends = [text.slice(0, SEARCHED_CHARS), text.slice(-SEARCHED_CHARS)];
    return JOBS.some((job) => ends.some((end) => job.test(end)));
  });
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
