// What a dialect is: how it reads a request, writes an answer, whole or as a stream, and says that something is wrong.
// Everything else about an answer is the same for all of them (answer.ts).
import type { EspalierError } from '../../protocol/errors.ts';
import type { ChatEvent, ChatFinish, ChatRequest, ChatUsage, TokenInfo, ToolCall } from '../chat-request.ts';
import type { TextModel } from '../text-model.ts';

/** apart: in fields of its own · inline: in the answer, between think marks · hidden: not at all */
export type ReasoningView = 'apart' | 'inline' | 'hidden';

/** What is known of an answer when it begins. */
export interface AnswerHead {
  /** without the prefix that a dialect puts before it */
  id: string;
  /** seconds since 1970 */
  created: number;
  model: TextModel;
  /** of all prompts of the request */
  promptTokens: number;
  /** performance.now() when the request came */
  startedAtMs: number;
}

/** One choice of an answer that is complete. */
export interface WholeAnswer {
  reasoning: string;
  content: string;
  /** of the content, where log probabilities were asked for */
  tokens: TokenInfo[];
  calls: ToolCall[];
  finish: ChatFinish;
  stopString: string | undefined;
  usage: ChatUsage;
  /** performance.now() of the first and the last event */
  firstAtMs: number;
  lastAtMs: number;
}

/** A request, translated, with what is needed to translate its answer back. */
export interface Translation {
  /** prompts, each answered `count` times; the choices of the answer are numbered in this order */
  chats: readonly ChatRequest[];
  count: number;
  /** undefined takes the deployed one */
  model: string | undefined;
  stream: boolean;
  /** undefined where the request does not say */
  view: ReasoningView | undefined;
  whole(answers: readonly WholeAnswer[], head: AnswerHead): unknown;
  encoder(head: AnswerHead): Encoder;
}

/** Writes one stream, as the text that goes over the wire; an empty text says nothing. */
export interface Encoder {
  readonly contentType: string;
  /** right after the headers, before anything is computed */
  begin(): string;
  event(choice: number, event: ChatEvent): string;
  /** breaks a silence. @param ahead requests that are answered before this one; undefined once it is computed */
  beat(ahead: number | undefined): string;
  /** the last word of a stream that breaks off */
  fail(error: EspalierError): string;
  /** the last word of one that is complete */
  end(): string;
}

/** An event of a stream of server-sent events. @param name of the event, where the dialect names them */
export function sse(data: unknown, name?: string): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return name === undefined ? `data: ${text}\n\n` : `event: ${name}\ndata: ${text}\n\n`;
}

/** A comment, which every reader of server-sent events skips. @param text anything: a line break would end the comment */
export function sseComment(text: string): string {
  return `: ${text.replace(/\s+/g, ' ')}\n\n`;
}

export const SSE_TYPE = 'text/event-stream; charset=utf-8';
