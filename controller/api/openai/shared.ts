// What OpenAI's dialects have in common: how usage, calls and log probabilities are written. Translation only.
import type { ChatFinish, ChatUsage, TokenInfo, ToolCall } from '../../chat-request.ts';
import type { TextModel } from '../../text-model.ts';

export function usageFields(usages: readonly ChatUsage[]): object {
  const sum = (of: (usage: ChatUsage) => number) => usages.reduce((total, usage) => total + of(usage), 0);
  // the choices of one prompt share it
  const promptTokens = usages[0]?.promptTokens ?? 0;
  const completionTokens = sum((usage) => usage.completionTokens);
  return {
    prompt_tokens: promptTokens,
    prompt_tokens_details: { cached_tokens: usages[0]?.cachedTokens ?? 0 },
    completion_tokens: completionTokens,
    completion_tokens_details: { reasoning_tokens: sum((usage) => usage.reasoningTokens) },
    total_tokens: promptTokens + completionTokens,
  };
}

export function finishReason(finish: ChatFinish): string {
  return finish === 'tool-calls' ? 'tool_calls' : finish;
}

export function callFields({ id, name, arguments: given }: ToolCall): object {
  return { id, type: 'function', function: { name, arguments: given } };
}

/** Tokens with their bytes, since a token may be half a character. */
export function logprobEntries(tokens: readonly TokenInfo[], model: TextModel): object[] {
  const entry = ({ token, logprob }: { token: number; logprob: number }): object => {
    const bytes = [...model.tokenBytes(token)];
    return { token: Buffer.from(bytes).toString(), logprob, bytes };
  };
  return tokens.map((info) => ({ ...entry(info), top_logprobs: info.top.map(entry) }));
}

/** A comment, which clients skip; it tells how many come first. */
export function commentBeat(ahead: number | undefined): string {
  return ahead === undefined || ahead === 0 ? ': beat\n\n' : `: beat, ${ahead} ahead in the queue\n\n`;
}
