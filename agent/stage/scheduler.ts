// The head stage's scheduler: which rows make up the next step. Pure: requests, cancels and completed steps in, steps
// out; no clock, no I/O. As many steps are in flight as there are stages, so that every stage has work.
import { EspalierError } from '../../protocol/errors.ts';
import type { GenerateRequest } from '../../protocol/generate.ts';
import type { Row, SessionOp, Step } from '../engine/step.ts';
import type { SampledToken } from './frame.ts';

/** Beside running streams a chunk is this many times shorter than alone. */
const SHORT_CHUNKS = 8;

export interface SchedulerOptions {
  stageCount: number;
  prefillChunkTokens: number;
  maxSessions: number;
  maxWaiting: number;
  /** rows in one step */
  maxRows: number;
}

export interface ScheduledStep extends Step {
  /** the token ids of all rows, in order */
  ids: number[];
}

interface Session {
  id: number;
  request: GenerateRequest;
  /** tokens that went into steps so far */
  sent: number;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #sessions = new Map<number, Session>();
  readonly #waiting: GenerateRequest[] = [];
  /** sessions whose prompt is not all sent, taken in turn */
  readonly #prefilling: Session[] = [];
  /** sessions whose next token is known and not yet sent, in the order in which it came */
  readonly #decodable: { session: Session; token: number }[] = [];
  readonly #drops: number[] = [];
  readonly #inFlight = new Set<number>();
  #lastStep = 0;
  #lastSession = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  get stepsInFlight(): number {
    return this.#inFlight.size;
  }

  /** Whether `next` would give a step now. */
  get hasWork(): boolean {
    const isFree = this.#inFlight.size < this.#options.stageCount;
    const isAdmitting = this.#waiting.length > 0 && this.#sessions.size < this.#options.maxSessions;
    return (
      isFree && (isAdmitting || this.#decodable.length + this.#prefilling.length + this.#drops.length > 0)
    );
  }

  /** @throws EspalierError queue_full */
  add(request: GenerateRequest): void {
    if (this.#waiting.length >= this.#options.maxWaiting) {
      throw new EspalierError('queue_full', `${this.#waiting.length} requests are waiting already`);
    }
    this.#waiting.push(request);
  }

  /** Ends a request at the next step. A request that is not known (any more) is no error. */
  cancel(requestId: string): void {
    const place = this.#waiting.findIndex((request) => request.requestId === requestId);
    if (place >= 0) this.#waiting.splice(place, 1);
    for (const session of this.#sessions.values()) {
      if (session.request.requestId === requestId) this.#close(session);
    }
  }

  /** A step came back from the last stage. Tokens of sessions that were closed meanwhile are ignored. */
  complete(step: number, sampled: readonly SampledToken[]): void {
    this.#inFlight.delete(step);
    for (const { session: id, token, outcome } of sampled) {
      const session = this.#sessions.get(id);
      if (!session) continue;
      if (outcome === 'next' && token !== undefined) this.#decodable.push({ session, token });
      else this.#close(session);
    }
  }

  /** The next step to run now, or undefined when all slots are taken or there is nothing to do. */
  next(): ScheduledStep | undefined {
    if (this.#inFlight.size >= this.#options.stageCount) return undefined;
    const ops: SessionOp[] = this.#drops.splice(0).map((session) => ({ op: 'drop', session }));
    ops.push(...this.#admit());
    const rows: Row[] = [];
    const ids: number[] = [];
    for (const { session, token } of this.#decodable.splice(0, this.#decodeShare())) {
      rows.push({ session: session.id, position: session.sent, count: 1, sample: true });
      ids.push(token);
      session.sent += 1;
    }
    this.#addChunk(rows, ids);
    if (rows.length === 0 && ops.length === 0) return undefined;
    const step = ++this.#lastStep;
    this.#inFlight.add(step);
    return { step, ops, rows, ids };
  }

  /** Decoding sessions are spread over the steps in flight: one step with all of them would leave the others empty. */
  #decodeShare(): number {
    const decoding = this.#sessions.size - this.#prefilling.length;
    return Math.min(Math.max(1, Math.ceil(decoding / this.#options.stageCount)), this.#options.maxRows - 1);
  }

  #admit(): SessionOp[] {
    const ops: SessionOp[] = [];
    while (this.#sessions.size < this.#options.maxSessions) {
      const request = this.#waiting.shift();
      if (!request) break;
      const session: Session = { id: ++this.#lastSession, request, sent: 0 };
      this.#sessions.set(session.id, session);
      this.#prefilling.push(session);
      ops.push(openOp(session));
    }
    return ops;
  }

  /** One chunk of the prompt whose turn it is; the next chunk of the same prompt may follow in the very next step. */
  #addChunk(rows: Row[], ids: number[]): void {
    const session = this.#prefilling.shift();
    if (!session) return;
    const { promptIds } = session.request;
    const chunk = promptIds.slice(session.sent, session.sent + this.#chunkTokens());
    const isLast = session.sent + chunk.length === promptIds.length;
    rows.push({ session: session.id, position: session.sent, count: chunk.length, sample: isLast });
    for (const id of chunk) ids.push(id);
    session.sent += chunk.length;
    if (!isLast) this.#prefilling.push(session);
  }

  /** Running streams wait for a whole chunk at each of their tokens: while there are some, chunks are short. */
  #chunkTokens(): number {
    const { prefillChunkTokens: whole } = this.#options;
    const isAlone = this.#sessions.size === this.#prefilling.length + 1;
    return isAlone ? whole : Math.max(1, Math.floor(whole / SHORT_CHUNKS));
  }

  /** Its KV goes with the next step; steps that are in flight with it end by themselves. */
  #close(session: Session): void {
    this.#sessions.delete(session.id);
    this.#drops.push(session.id);
    remove(this.#prefilling, (other) => other === session);
    remove(this.#decodable, (entry) => entry.session === session);
  }
}

function openOp({ id, request }: Session): SessionOp {
  const { requestId, sampling, maxTokens, stopIds, promptIds } = request;
  const op: SessionOp = { op: 'open', session: id, requestId, sampling, maxTokens, stopIds };
  // the last stage sees no token ids but those it draws: this penalty alone needs to know which ones the prompt has
  if ((sampling.repetitionPenalty ?? 1) === 1) return op;
  return { ...op, promptIds: [...new Set(promptIds)].sort((a, b) => a - b) };
}

function remove<T>(list: T[], matches: (item: T) => boolean): void {
  const place = list.findIndex(matches);
  if (place >= 0) list.splice(place, 1);
}
