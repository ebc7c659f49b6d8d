// The wizard without anybody who could be asked: pages become lines of output, flags and defaults answer.
import { EspalierError } from '../../protocol/errors.ts';
import type { Presets } from './presets.ts';
import type { ChoiceQuestion, Line, Talk, TextQuestion } from './talk.ts';

export interface LinesTalkOptions {
  presets: Presets;
  print(line: string): void;
  signal: AbortSignal;
}

export class LinesTalk implements Talk {
  readonly isUnattended = true;
  readonly #options: LinesTalkOptions;

  constructor(options: LinesTalkOptions) {
    this.#options = options;
  }

  show(lines: readonly Line[]): void {
    for (const { text } of lines) this.#options.print(text === '' ? '' : `  ${text}`);
  }

  async choose(question: ChoiceQuestion): Promise<string> {
    const answer = this.#options.presets.take(question) ?? question.initial;
    if (answer === undefined) throw unanswered(question);
    if (question.flag !== undefined) this.#options.print(`  ${question.question} ${answer}`);
    return answer;
  }

  async enter(question: TextQuestion): Promise<string> {
    const answer = this.#options.presets.take(question) ?? question.initial;
    if (answer === undefined) throw unanswered(question);
    return answer;
  }

  async during<T>(
    what: string,
    work: (tell: (lines: readonly Line[]) => void, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#options.print(`  ${what} …`);
    return work((lines) => this.show(lines), this.#options.signal);
  }

  outside<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }
}

function unanswered({ flag, question }: ChoiceQuestion | TextQuestion): EspalierError {
  return new EspalierError(
    'bad_option',
    `"${question}" has no answer: add --${flag ?? 'yes'}, or run it in a terminal`,
  );
}
