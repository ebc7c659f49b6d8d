// Takes a model's calls of tools out of its answer as it streams: pieces of text in, text and whole calls out.
// It must not know tokens, requests or dialects.
import type { ToolForm, WrittenCall } from './tool-form.ts';

export interface Split {
  /** what is to be shown, often nothing */
  text: string;
  calls: WrittenCall[];
}

/**
 * The text of an answer without its calls. From the first call on, white space alone is no text. What could still become
 * a call waits; what turns out to be none is shown as it is, so that nothing that the model said is lost.
 */
export class ToolSplitter {
  readonly #form: ToolForm;
  #isCalling = false;
  #isFirst = true;
  #held = '';

  constructor(form: ToolForm) {
    this.#form = form;
  }

  push(piece: string): Split {
    const split: Split = { text: '', calls: [] };
    this.#held += piece;
    if (!this.#isCalling) this.#beforeCalls(split);
    if (this.#isCalling) this.#takeCalls(split);
    return split;
  }

  /** What is still held back when the answer ends: a last call without its end, or text. */
  end(): Split {
    const text = this.#held;
    this.#held = '';
    const calls = this.#isCalling && text.trim() !== '' ? this.#form.read(text) : undefined;
    if (calls) return { text: '', calls };
    return { text: this.#isCalling && text.trim() === '' ? '' : text, calls: [] };
  }

  #beforeCalls(split: Split): void {
    const { begin, isOnlyFirst } = this.#form;
    if (isOnlyFirst && !this.#isFirst) {
      split.text += this.#held;
      this.#held = '';
      return;
    }
    const text = isOnlyFirst ? this.#held.trimStart() : this.#held;
    const at = isOnlyFirst ? (text.startsWith(begin) ? 0 : -1) : text.indexOf(begin);
    if (at >= 0) {
      split.text += text.slice(0, at).trimEnd();
      this.#held = text.slice(at);
      this.#isCalling = true;
      return;
    }
    if (isOnlyFirst && begin.startsWith(text)) return;
    // white space before a call is none of the text, so it waits as well
    const held = isOnlyFirst ? 0 : heldLength(this.#held, begin);
    const shown = this.#held.slice(0, this.#held.length - held);
    split.text += shown;
    this.#held = this.#held.slice(shown.length);
    if (shown.trim() !== '') this.#isFirst = false;
  }

  #takeCalls(split: Split): void {
    const { callEnd, read } = this.#form;
    if (callEnd === undefined) return;
    // an end inside of a string is none: then the text up to the next one is tried
    for (let end = this.#held.indexOf(callEnd); end >= 0; end = this.#held.indexOf(callEnd, end + 1)) {
      const calls = read(this.#held.slice(0, end + callEnd.length));
      if (!calls) continue;
      split.calls.push(...calls);
      this.#held = this.#held.slice(end + callEnd.length);
      end = -1;
    }
  }
}

/** The length of the longest end of `text` that is white space and then a beginning of `mark`. */
function heldLength(text: string, mark: string): number {
  let length = Math.min(mark.length - 1, text.length);
  while (length > 0 && !text.endsWith(mark.slice(0, length))) length--;
  const rest = text.slice(0, text.length - length);
  return text.length - rest.trimEnd().length;
}
