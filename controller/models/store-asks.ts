// Questions to the agents' stores and their answers: one promise a question, with a deadline for its answer or for a sign of
// life. It must not know what is made of the answers.
import { randomUUID } from 'node:crypto';
import { EspalierError, isErrorCode } from '../../protocol/errors.ts';
import { STORE_ASK_TIMEOUT_MS, STORE_SILENCE_MS } from '../../protocol/limits.ts';
import type { StoreCommand, StoreEvent } from '../../protocol/store.ts';

type Question = Exclude<StoreCommand, { kind: 'store-share' | 'store-stop' }>;
/** Without its id, which is given here. */
export type StoreQuestion = Question extends infer Each
  ? Each extends Question
    ? Omit<Each, 'askId'>
    : never
  : never;
type Answer = Exclude<StoreEvent, { kind: 'store-progress' | 'store-failed' }>;

/** Why a question has no answer: what its agent said, or that it is gone. */
export class StoreAskFailed extends Error {
  readonly code: string;
  /** the agent is gone, or says nothing any more */
  readonly isLost: boolean;

  constructor(code: string, message: string, isLost: boolean) {
    super(message);
    this.name = 'StoreAskFailed';
    this.code = code;
    this.isLost = isLost;
  }

  /** As people get it. @param node where it happened */
  toEspalierError(node: string): EspalierError {
    return new EspalierError(isErrorCode(this.code) ? this.code : 'internal', `${node}: ${this.message}`);
  }
}

interface Open {
  nodeId: string;
  answer(event: Answer): void;
  fail(error: StoreAskFailed): void;
  onProgress(doneBytes: number, waits: string | undefined): void;
  timer: NodeJS.Timeout;
  /** the deadline is for a sign of life, and not for the answer */
  isLong: boolean;
}

export interface AskOptions {
  /** for the answer; undefined: as long as there are signs of life */
  timeoutMs?: number | undefined;
  onProgress?: (doneBytes: number, waits: string | undefined) => void;
  signal?: AbortSignal | undefined;
}

export class StoreAsks {
  readonly #send: (nodeId: string, command: StoreCommand) => void;
  readonly #open = new Map<string, Open>();

  constructor(send: (nodeId: string, command: StoreCommand) => void) {
    this.#send = send;
  }

  /** @throws StoreAskFailed; the signal's reason, after which the agent is told to stop */
  async ask<Kind extends Answer['kind']>(
    nodeId: string,
    question: StoreQuestion,
    kind: Kind,
    { timeoutMs = STORE_ASK_TIMEOUT_MS, onProgress = () => undefined, signal }: AskOptions = {},
  ): Promise<Extract<Answer, { kind: Kind }>> {
    const answer = await this.#ask(nodeId, question, { timeoutMs, onProgress, isLong: false, signal });
    return expect(answer, kind);
  }

  /** The same for what takes as long as it takes: whoever tells nothing for STORE_SILENCE_MS is lost. */
  async askLong<Kind extends Answer['kind']>(
    nodeId: string,
    question: StoreQuestion,
    kind: Kind,
    { onProgress = () => undefined, signal }: Omit<AskOptions, 'timeoutMs'> = {},
  ): Promise<Extract<Answer, { kind: Kind }>> {
    const how = { timeoutMs: STORE_SILENCE_MS, onProgress, isLong: true, signal };
    return expect(await this.#ask(nodeId, question, how), kind);
  }

  receive(nodeId: string, event: StoreEvent): void {
    const open = this.#open.get(event.askId);
    if (!open || open.nodeId !== nodeId) return;
    if (event.kind === 'store-progress') {
      if (open.isLong) open.timer.refresh();
      open.onProgress(event.doneBytes, event.waits);
    } else if (event.kind === 'store-failed') open.fail(new StoreAskFailed(event.code, event.message, false));
    else open.answer(event);
  }

  /** Its connection is gone. */
  nodeLost(nodeId: string): void {
    for (const open of [...this.#open.values()])
      if (open.nodeId === nodeId) open.fail(new StoreAskFailed('stage_lost', 'the node is gone', true));
  }

  async #ask(
    nodeId: string,
    question: StoreQuestion,
    {
      timeoutMs,
      onProgress,
      isLong,
      signal,
    }: Required<Omit<AskOptions, 'signal'>> & {
      timeoutMs: number;
      isLong: boolean;
      signal: AbortSignal | undefined;
    },
  ): Promise<Answer> {
    signal?.throwIfAborted();
    const askId = randomUUID();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const timer = setTimeout(() => {
      this.#send(nodeId, { kind: 'store-stop', askId });
      reject(new StoreAskFailed('not_ready', `nothing was heard for ${timeoutMs / 1000} s`, true));
    }, timeoutMs);
    const abort = () => {
      this.#send(nodeId, { kind: 'store-stop', askId });
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
    this.#open.set(askId, { nodeId, answer: resolve, fail: reject, onProgress, timer, isLong });
    this.#send(nodeId, { ...question, askId });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      this.#open.delete(askId);
    }
  }
}

function expect<Kind extends Answer['kind']>(answer: Answer, kind: Kind): Extract<Answer, { kind: Kind }> {
  if (answer.kind === kind) return answer as Extract<Answer, { kind: Kind }>;
  throw new StoreAskFailed('internal', `the node answered ${answer.kind} where ${kind} was asked for`, false);
}
