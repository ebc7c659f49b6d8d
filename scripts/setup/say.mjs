// How the set-up speaks: short lines on standard error (standard output belongs to the command), and errors that
// carry their way out. It must not know any step.

/** A set-up step that failed: what happened, and the exact command (or act) that fixes it. */
export class SetupError extends Error {
  /**
   * @param {string} message what happened
   * @param {string} fix what to run or do, complete enough to paste
   */
  constructor(message, fix) {
    super(message);
    this.name = 'SetupError';
    this.fix = fix;
  }
}

/**
 * One line on standard error.
 * @param {string} text
 */
export function say(text) {
  process.stderr.write(`set-up: ${text}\n`);
}

/**
 * A path or word as a POSIX shell must see it, so that commands in messages can be pasted.
 * @param {string} word
 */
export function shellQuote(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
