// The one request that every dialect translates its own to, and the events that it translates from.
// It must not know HTTP, field names of any dialect, or token ids of any model.
import type { FinishReason, Sampling } from '../protocol/generate.ts';

export type JsonObject = { [key: string]: unknown };

/** A function that the model may call. */
export interface Tool {
  name: string;
  description?: string | undefined;
  /** JSON Schema of its arguments */
  parameters: JsonObject;
}

/** A call that the model made. */
export interface ToolCall {
  id: string;
  name: string;
  /** JSON text of an object */
  arguments: string;
}

export type ToolChoice = 'auto' | 'none' | 'required' | { name: string };

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string;
  /** what the model thought before it said this; templates decide whether it is told again */
  reasoning?: string | undefined;
  /** of the assistant */
  toolCalls?: readonly ToolCall[] | undefined;
  /** of a tool: the call that this answers */
  toolCallId?: string | undefined;
  /** of a tool: its name */
  name?: string | undefined;
}

/** What the answer must be, whatever the model would rather say. */
export type AnswerFormat = { kind: 'json' } | { kind: 'schema'; schema: JsonObject | boolean };

/** A conversation, for the model's chat template. */
export interface Conversation {
  messages: readonly ChatMessage[];
  tools?: readonly Tool[] | undefined;
  /** by default `auto` */
  toolChoice?: ToolChoice | undefined;
  /** false: where a call is demanded, one and not several */
  parallelCalls?: boolean | undefined;
  /** false: an empty think block. By default the model thinks as its template has it */
  thinking?: boolean | undefined;
}

/** A prompt as it is, without a template: its answer is not split into reasoning and content. */
export interface RawPrompt {
  prompt: string | readonly number[];
}

export interface AnswerOptions {
  /** of reasoning and answer together */
  maxTokens?: number | undefined;
  /** what the client asks for; what is left out takes the model's own default */
  sampling?: { readonly [Key in keyof Sampling]?: Sampling[Key] | undefined } | undefined;
  /** Texts that end the answer and are not shown. They are looked for in the answer, not in the reasoning. */
  stop?: readonly string[] | undefined;
  /** tokens that end the answer beside the model's own */
  stopIds?: readonly number[] | undefined;
  format?: AnswerFormat | undefined;
  /** a job that nobody waits for: it never holds up a conversation */
  isBackground?: boolean | undefined;
}

export type ChatRequest = (Conversation | RawPrompt) & AnswerOptions;

export interface ChatUsage {
  promptTokens: number;
  /** those of them that were not computed, because an earlier request began alike */
  cachedTokens: number;
  completionTokens: number;
  /** those of the completion that were reasoning */
  reasoningTokens: number;
}

/** A token of the answer with its log probability and those of the likeliest ones. */
export interface TokenInfo {
  token: number;
  logprob: number;
  top: readonly { token: number; logprob: number }[];
}

export interface TextPiece {
  kind: 'reasoning' | 'content';
  text: string;
  /** of the tokens of this piece, where the request asked for them */
  tokens?: readonly TokenInfo[] | undefined;
}

/** stop: the model's own end or a stop string · length: maxTokens · tool-calls: it called tools */
export type ChatFinish = FinishReason | 'tool-calls';

/** What each dialect translates from. The last event of a chat is its finish. */
export type ChatEvent =
  | TextPiece
  | { kind: 'tool-call'; index: number; call: ToolCall }
  | {
      kind: 'finish';
      reason: ChatFinish;
      /** the stop string that ended it */
      stopString: string | undefined;
      usage: ChatUsage;
    };
