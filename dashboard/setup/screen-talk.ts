// The wizard on a terminal: what steps show and ask becomes the page, and keys become answers. It must not know Ink.
import { setTimeout as sleep } from 'node:timers/promises';
import type { StepId } from './order.ts';
import { EMPTY_PAGE, type Page, type Press, press, withOptions } from './page.ts';
import type { Presets } from './presets.ts';
import { type ChoiceQuestion, type Line, StepLeft, type Talk, type TextQuestion } from './talk.ts';

/** Between two looks at what changes by itself. */
const LOOK_MS = 1_000;

export interface ScreenTalkOptions {
  presets: Presets;
  /** takes the screen away while the work lasts, and brings it back */
  suspend<T>(work: () => Promise<T>): Promise<T>;
}

interface Waiter {
  resolve(answer: string): void;
  reject(reason: Error): void;
}

export class ScreenTalk implements Talk {
  readonly isUnattended = false;
  readonly #options: ScreenTalkOptions;
  readonly #listeners = new Set<() => void>();
  #page: Page = EMPTY_PAGE;
  #waiter: Waiter | undefined;

  constructor(options: ScreenTalkOptions) {
    this.#options = options;
  }

  readonly get = (): Page => this.#page;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** A step begins. */
  begin(step: StepId, steps: readonly StepId[]): void {
    this.#set({ ...EMPTY_PAGE, step, steps });
  }

  /** A key was pressed. */
  press(pressed: Press): void {
    const result = press(this.#page, pressed);
    if ('page' in result) this.#set(result.page);
    else if ('answer' in result) this.#waiter?.resolve(result.answer);
    else this.#waiter?.reject(new StepLeft(result.left));
  }

  show(lines: readonly Line[]): void {
    this.#set({ ...this.#page, lines, offset: 0 });
  }

  async choose(question: ChoiceQuestion): Promise<string> {
    const given = this.#options.presets.take(question);
    if (given !== undefined) return given;
    const { options, initial, look } = question;
    const selected = Math.max(
      0,
      options.findIndex(({ value }) => value === initial),
    );
    this.#set({ ...this.#page, ask: { kind: 'choice', question: question.question, options, selected } });
    const looking = new AbortController();
    const answer = this.#wait();
    if (look) this.#lookAgain(look, looking.signal).catch((error) => this.#waiter?.reject(error));
    try {
      return await answer;
    } finally {
      looking.abort();
    }
  }

  async enter(question: TextQuestion): Promise<string> {
    const given = this.#options.presets.take(question);
    if (given !== undefined) return given;
    const text = question.initial ?? '';
    this.#set({ ...this.#page, ask: { kind: 'text', question: question.question, text } });
    return this.#wait();
  }

  async during<T>(
    what: string,
    work: (tell: (lines: readonly Line[]) => void, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#set({ ...this.#page, ask: { kind: 'busy', what } });
    const breakOff = new AbortController();
    const tell = (lines: readonly Line[]) => {
      if (!breakOff.signal.aborted) this.#set({ ...this.#page, lines });
    };
    // only Escape and Ctrl-C end the wait before the work does
    const left = this.#wait();
    left.catch(() => breakOff.abort());
    try {
      return (await Promise.race([work(tell, breakOff.signal), left])) as T;
    } finally {
      this.#end();
    }
  }

  outside<T>(work: () => Promise<T>): Promise<T> {
    return this.#options.suspend(work);
  }

  /** The user, or the system, wants to go. */
  leave(): void {
    this.#waiter?.reject(new StepLeft('leave'));
  }

  async #lookAgain(look: NonNullable<ChoiceQuestion['look']>, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await sleep(LOOK_MS, undefined, { signal });
      } catch {
        return; // it was answered
      }
      const { lines, options, answer } = await look();
      if (signal.aborted) return;
      this.#set(withOptions({ ...this.#page, lines }, options));
      if (answer !== undefined) this.#waiter?.resolve(answer);
    }
  }

  async #wait(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#waiter = { resolve, reject };
    try {
      return await promise;
    } finally {
      this.#end();
    }
  }

  #end(): void {
    this.#waiter = undefined;
    this.#set({ ...this.#page, ask: null });
  }

  #set(page: Page): void {
    this.#page = page;
    for (const listener of this.#listeners) listener();
  }
}
