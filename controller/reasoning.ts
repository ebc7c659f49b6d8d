// Splits a model's text into its reasoning and its answer as it streams: pieces of text in, pieces with a kind out.
// It must not know tokens, requests or dialects.

export interface TextSegment {
  kind: 'reasoning' | 'content';
  text: string;
}

const OPEN = '<think>';
const CLOSE = '</think>';

/** The text that ends a reasoning. */
export const REASONING_END = CLOSE;
/** What a prompt that ends in `<think>` goes on with when the model is not to think, as DeepSeek writes it. */
export const EMPTY_REASONING = `\n\n${CLOSE}\n\n`;

/** Whether the model begins in its reasoning: R1's template ends the prompt with `<think>` and a newline. */
export function promptOpensReasoning(prompt: string): boolean {
  return prompt.trimEnd().endsWith(OPEN);
}

/**
 * The text of a stream without its think marks. Newlines next to the marks belong to them and are not shown. A missing
 * `</think>` leaves everything reasoning. What could still become a mark, or newlines before one, waits for the next
 * piece; `end` lets it out.
 */
export class ReasoningSplitter {
  /** begin: a text may open with <think> · gap: between a mark and its text · the others as they say */
  #state: 'begin' | 'reasoning-gap' | 'reasoning' | 'content-gap' | 'content';
  /** white space that is shown only if text follows */
  #space = '';
  /** the beginning of what may be a mark */
  #mark = '';

  constructor(startsInReasoning: boolean) {
    this.#state = startsInReasoning ? 'reasoning-gap' : 'begin';
  }

  /** Whether what comes next is reasoning, as far as it is known. */
  get isReasoning(): boolean {
    return this.#state.startsWith('reasoning');
  }

  /** Whether what came last belongs to a mark, or to the newlines next to it. */
  get isBetween(): boolean {
    return this.#state.endsWith('gap');
  }

  /** The segments that one more piece of text completes. */
  push(piece: string): TextSegment[] {
    const segments: TextSegment[] = [];
    let rest = this.#mark + piece;
    this.#mark = '';
    while (rest !== '') rest = this.#step(rest, segments);
    return segments;
  }

  /** What is still held back when the stream ends. */
  end(): TextSegment[] {
    const text = this.#space + this.#mark;
    this.#space = '';
    this.#mark = '';
    if (text === '') return [];
    return [{ kind: this.isReasoning ? 'reasoning' : 'content', text }];
  }

  /** Consumes the beginning of `text` and returns the rest; holds back what cannot be decided yet. */
  #step(text: string, segments: TextSegment[]): string {
    switch (this.#state) {
      case 'begin':
        return this.#begin(text);
      case 'reasoning-gap':
      case 'content-gap': {
        const rest = text.slice(countLeading(text, isNewline));
        if (rest !== '') this.#state = this.#state === 'reasoning-gap' ? 'reasoning' : 'content';
        return rest;
      }
      case 'reasoning':
        return this.#reasoning(text, segments);
      case 'content':
        segments.push({ kind: 'content', text: this.#space + text });
        this.#space = '';
        return '';
    }
  }

  #begin(text: string): string {
    const spaces = countLeading(text, isSpace);
    this.#space += text.slice(0, spaces);
    const rest = text.slice(spaces);
    if (rest.startsWith(OPEN)) {
      this.#space = '';
      this.#state = 'reasoning-gap';
      return rest.slice(OPEN.length);
    }
    if (OPEN.startsWith(rest)) {
      this.#mark = rest;
      return '';
    }
    this.#state = 'content';
    return rest;
  }

  #reasoning(text: string, segments: TextSegment[]): string {
    const at = text.indexOf(CLOSE);
    const bodyEnd = at >= 0 ? at : text.length - heldLength(text);
    const wordsEnd = bodyEnd - countTrailing(text, bodyEnd, isNewline);
    if (wordsEnd > 0) {
      segments.push({ kind: 'reasoning', text: this.#space + text.slice(0, wordsEnd) });
      this.#space = '';
    }
    if (at >= 0) {
      this.#space = '';
      this.#state = 'content-gap';
      return text.slice(at + CLOSE.length);
    }
    this.#space += text.slice(wordsEnd, bodyEnd);
    this.#mark = text.slice(bodyEnd);
    return '';
  }
}

/** The length of the longest end of `text` that is a beginning of `</think>`. */
function heldLength(text: string): number {
  for (let length = Math.min(CLOSE.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(CLOSE.slice(0, length))) return length;
  }
  return 0;
}

function isNewline(char: string): boolean {
  return char === '\n';
}

function isSpace(char: string): boolean {
  return char.trim() === '';
}

function countLeading(text: string, is: (char: string) => boolean): number {
  let count = 0;
  while (count < text.length && is(text.charAt(count))) count++;
  return count;
}

function countTrailing(text: string, end: number, is: (char: string) => boolean): number {
  let count = 0;
  while (count < end && is(text.charAt(end - 1 - count))) count++;
  return count;
}
