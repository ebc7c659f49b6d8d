// The answers that the command line gave beforehand, each for one question. It must not know which questions there are.
import { EspalierError } from '../../protocol/errors.ts';
import type { ChoiceQuestion, TextQuestion } from './talk.ts';

export class Presets {
  readonly #left: Map<string, string>;

  /** @param answers by the names of flags; undefined ones were not given */
  constructor(answers: Readonly<Record<string, string | undefined>>) {
    const given = Object.entries(answers).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );
    this.#left = new Map(given);
  }

  /**
   * The answer to a question. It counts once: who comes back to the step is asked.
   * @returns undefined where none was given
   * @throws EspalierError bad_option when it is none of those that the question takes
   */
  take(question: ChoiceQuestion | TextQuestion): string | undefined {
    const { flag } = question;
    if (flag === undefined) return undefined;
    const answer = this.#left.get(flag);
    this.#left.delete(flag);
    if (answer === undefined || !('options' in question) || question.takesOther) return answer;
    const values = question.options.map(({ value }) => value);
    if (values.includes(answer)) return answer;
    throw new EspalierError('bad_option', `--${flag} ${answer}: here it takes ${values.join(' or ')}`);
  }
}
