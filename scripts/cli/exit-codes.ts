// The exit codes of every command, in one place with their words for --help.

export const EXIT = { ok: 0, error: 1, usage: 2, notServing: 3, toMend: 4 } as const;

export const STATUS_EXIT_CODES = `
Exit codes:
  0  the cluster serves
  1  an error, or no controller answers
  2  wrong usage
  3  the cluster does not serve; the reason is shown`;

export const EXIT_CODES = `
Exit codes:
  0  done
  1  an error
  2  wrong usage`;

export const DOCTOR_EXIT_CODES = `
Exit codes:
  0  nothing to mend; with --fix: done
  1  an error
  2  wrong usage
  4  there is something to mend: a warning or worse`;
