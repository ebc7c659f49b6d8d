// How a model writes its calls of tools: what each form of writing must tell of itself.
// It must not know dialects, tokens or streams.
import { randomUUID } from 'node:crypto';
import type { JsonObject, Tool } from '../chat-request.ts';

/** A call as the model wrote it. */
export interface WrittenCall {
  name: string;
  /** JSON text of an object */
  arguments: string;
}

export interface ToolForm {
  /** the text with which calls begin */
  begin: string;
  /** whether that text means a call only where an answer begins */
  isOnlyFirst: boolean;
  /** the text after each call; undefined where only the answer's end is */
  callEnd: string | undefined;
  /** The calls in a text from `begin` (or the end before it) to `callEnd`; undefined where it holds none. */
  read(text: string): WrittenCall[] | undefined;
  /** what stands around the arguments of a call of one tool: for a grammar */
  frame(tool: string): { begin: string; end: string };
  /** what stands around and between all calls */
  around: { begin: string; separator: string; end: string };
  /** whether templates take a call's arguments as an object or as JSON text */
  argumentsAs: 'object' | 'text';
  /** For templates that show calls but never which tools there are: the text that says it. */
  list: ((tools: readonly Tool[]) => string) | undefined;
}

/** A call from its name and its arguments, which may be an object or its text; undefined where they are neither. */
export function writtenCall(name: unknown, given: unknown): WrittenCall | undefined {
  const object = typeof given === 'string' ? parsedJson(given) : given;
  const isObject = typeof object === 'object' && object !== null && !Array.isArray(object);
  return typeof name === 'string' && isObject ? { name, arguments: JSON.stringify(object) } : undefined;
}

/** The JSON of a text, or undefined. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A tool as OpenAI declares it, which is what templates expect. */
export function declaration({ name, description, parameters }: Tool): JsonObject {
  return {
    type: 'function',
    function: { name, ...(description !== undefined && { description }), parameters },
  };
}

/** An id for a call, as long as OpenAI's. */
export function newCallId(): string {
  return `call_${randomUUID().replaceAll('-', '').slice(0, 24)}`;
}
