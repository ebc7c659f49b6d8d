// The registry of every error that a user can see: code, HTTP status, and how to solve it.
// docs/errors.md lists the same; a test holds them together.

export const ERRORS = {
  // requests
  invalid_request: { status: 400, solve: 'Correct the field that the message names.' },
  context_length_exceeded: {
    status: 400,
    solve: 'Shorten the conversation, or ask for fewer tokens with max_tokens.',
  },
  kv_full: {
    status: 400,
    solve:
      'Shorten the conversation, or start agents on more machines: `espalier status` tells how many tokens fit.',
  },
  not_found: { status: 404, solve: 'Check the path; GET / lists the routes that exist.' },
  model_not_found: { status: 404, solve: 'Use one of the ids that GET /v1/models lists.' },
  method_not_allowed: { status: 405, solve: 'Use one of the methods that the message names.' },
  body_too_large: { status: 413, solve: 'Send less: the message names the limit.' },
  wrong_content_type: { status: 415, solve: 'Send the body as JSON with Content-Type: application/json.' },
  headers_too_large: { status: 431, solve: 'Send fewer or shorter headers, 16 KiB in all.' },
  foreign_origin: {
    status: 403,
    solve: 'Open the status stream from a program, or from a page that this controller itself served.',
  },
  foreign_host: {
    status: 403,
    solve: 'Ask by http://127.0.0.1:PORT or http://localhost:PORT; a proxy must send such a Host header.',
  },
  unauthorized: {
    status: 401,
    solve:
      'Send a key that `espalier key create NAME` made: `Authorization: Bearer KEY`, `x-api-key: KEY` or `api-key: KEY`.',
  },
  forbidden: {
    status: 403,
    solve:
      'Run the command as the user of the controller, with the same ESPALIER_HOME; or set ESPALIER_KEY to a key of `espalier key create NAME --admin`.',
  },
  queue_full: { status: 429, solve: 'Try again after the time in Retry-After.' },
  no_embeddings: {
    status: 501,
    solve: 'Use another server for embeddings, such as one of a small model of its own.',
  },
  not_ready: { status: 503, solve: 'Wait until `espalier status` says serving; it says what is missing.' },
  stage_lost: {
    status: 503,
    solve:
      'Send the request again; `espalier status` shows which node was lost and when the cluster serves again.',
  },
  draft_lost: {
    status: 503,
    solve:
      'Nothing has to be done: texts go on without its guesses, and it is started again. `espalier status` shows where it runs.',
  },
  cancelled: {
    // a status that no client takes as a reason to try again by itself
    status: 410,
    solve: 'Whoever runs the cluster ended it (`c` in the dashboard); ask again if it is still wanted.',
  },
  no_progress: {
    status: 504,
    solve: 'Look at `espalier status` for the stage that stands still, then send it again.',
  },
  engine_failed: {
    status: 500,
    solve: 'Send the request again; if it repeats, the log of the named node has the reason.',
  },
  internal: { status: 500, solve: 'This is a defect of Espalier: please report it with the log.' },
  // model folders
  model_folder_missing: {
    status: 503,
    solve:
      'Give a folder in MLX format with --model DIR, on every node at the same path, or a model of the store.',
  },
  model_file_missing: { status: 503, solve: 'Copy or download the named file again.' },
  model_file_damaged: {
    status: 503,
    solve: 'Copy or download the named file again: its size or header is wrong.',
  },
  model_mismatch: {
    status: 503,
    solve: 'Take config.json and the weights from the same model folder, and the same folder on every node.',
  },
  model_unsupported: {
    status: 503,
    solve: 'Use a model of a supported architecture; the message lists them.',
  },
  // the model store
  model_not_stored: {
    status: 404,
    solve: '`espalier models list` shows what is stored; `espalier models pull NAME` fetches a model.',
  },
  model_not_on_hub: {
    status: 404,
    solve: '`espalier models search WORDS` finds names; --revision takes a branch, a tag or a commit.',
  },
  model_access_denied: {
    status: 403,
    solve:
      "Look at the name: the hub answers so for one that is not there, too. Otherwise accept the model's terms on its page, then set HF_TOKEN for the agents or run `hf auth login` on their machines.",
  },
  model_fetch_failed: {
    status: 503,
    solve:
      'Look at the network of the node that the message names, then pull again: it goes on where it ended.',
  },
  model_in_use: {
    status: 409,
    solve: 'Deploy another model first (`espalier models use NAME`), or wait until its pull has ended.',
  },
  // cluster
  protocol_version: { status: 503, solve: 'Upgrade the side that the message names.' },
  node_busy: {
    status: 503,
    solve: 'Stop the other controller, or start this one with the same ESPALIER_HOME.',
  },
  other_cluster: { status: 503, solve: 'Start agent and controller with the same --cluster NAME.' },
  // trust
  not_paired: {
    status: 503,
    solve:
      '`espalier pair` lists the nodes that wait; `espalier pair NAME` pairs one with the code that it shows.',
  },
  paired_elsewhere: {
    status: 503,
    solve:
      'Unpair it at the controller that the message names (`espalier unpair NAME`), or start its agent once with --forget; then pair it here.',
  },
  key_changed: {
    status: 503,
    solve:
      'If Espalier was set up anew there: `espalier unpair NAME`, then `espalier pair NAME`. If you do not know why, do not: another machine may pretend to be it.',
  },
  pairing_code_wrong: {
    status: 403,
    solve: 'Type the code that the node shows now: `espalier agent --show-code` there.',
  },
  pairing_wait: { status: 429, solve: 'Try again when the time in the message is over.' },
  pairing_failed: { status: 503, solve: 'Try again; if it repeats, the log of the node has the reason.' },
  not_enough_nodes: {
    status: 503,
    solve: 'Use more or larger machines, or a smaller model; on each machine: `espalier agent`.',
  },
  nodes_unlinked: {
    status: 503,
    solve:
      'Join the two nodes with a cable, or connect both to one network and let their firewalls pass node: `espalier links` tells what was tried between them.',
  },
  engine_missing: {
    status: 503,
    solve:
      'From a checkout, `npm start` installs what node-mlx needs. From the npm package: `npm rebuild @frost-beta/mlx` on a Mac, `apt-get install libopenblas0 liblapack3` on Debian and Ubuntu.',
  },
  disk_full: {
    status: 503,
    solve: 'Free some space on the disk of the node and the folder that the message names.',
  },
  python_missing: {
    status: 503,
    solve:
      'Install Python 3.10 or newer, or uv. Mac: `brew install uv`, or https://www.python.org/downloads. Debian, Ubuntu: `apt-get install python3 python3-venv`.',
  },
  engine_not_installed: {
    status: 503,
    solve: 'Run `espalier engine install mlx-distributed` on the node that the message names.',
  },
  engine_install_failed: {
    status: 503,
    solve:
      'Mend what the message says (a network that reaches the package index, some free gigabytes), then run `espalier engine install mlx-distributed` again: it goes on where it was.',
  },
  old_epoch: { status: 503, solve: 'Send the request again: the cluster was just deployed anew.' },
  // start-up
  key_missing: {
    status: 500,
    solve:
      'Make one with `espalier key create NAME`, then start again; or leave --host out, to listen on this machine only.',
  },
  port_taken: { status: 500, solve: 'Choose another port with --port, or stop the program that has it.' },
  home_in_use: { status: 500, solve: 'Stop the other one, or give this one its own ESPALIER_HOME.' },
  home_not_writable: {
    status: 500,
    solve: 'Set ESPALIER_HOME to a folder that can be written, or free some space on its disk.',
  },
  home_damaged: {
    status: 500,
    solve: 'Do what the message says: it names the file, what is wrong with it, and what its loss means.',
  },
  system_change_failed: {
    status: 500,
    solve:
      'The message has the command and its answer: run it by hand to see more, or leave this change out. `espalier setup --undo` takes back what was changed.',
  },
  service_failed: {
    status: 500,
    solve: 'Look at `espalier service logs`, mend what it names, then `espalier service install` again.',
  },
  bad_option: { status: 400, solve: 'See --help for the values that the option takes.' },
  controller_unreachable: {
    status: 503,
    solve: 'Start one with `npm start` or `espalier controller`, or name it with --controller URL.',
  },
} as const satisfies Record<string, { status: number; solve: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** An error for people: a registered code, a message that names the thing, and the registry's way to solve it. */
export class EspalierError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EspalierError';
    this.code = code;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get solve(): string {
    return ERRORS[this.code].solve;
  }
}

/** Whether a string (from another process) is one of our codes. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/**
 * Anything thrown, as one of ours: unknown errors become `fallback` with their own message.
 */
export function asEspalierError(error: unknown, fallback: ErrorCode = 'internal'): EspalierError {
  if (error instanceof EspalierError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new EspalierError(fallback, message, { cause: error });
}

/** The message and its way out, as one text for a terminal. */
export function explain(error: EspalierError): string {
  return `${error.message}\n  → ${error.solve}`;
}
