// What every dialect of the API shares: the model that is served, and the requests that are open.
// It must not know any dialect.
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { DoctorReport } from '../../protocol/doctor.ts';
import { EspalierError } from '../../protocol/errors.ts';
import type { ClusterHistory } from '../../protocol/history.ts';
import type { IncidentsReport } from '../../protocol/incidents.ts';
import { MAX_REQUESTS } from '../../protocol/limits.ts';
import type { LinksReport } from '../../protocol/links.ts';
import type { OperationAnswer } from '../../protocol/operations.ts';
import type { PairedAnswer, PairingReport } from '../../protocol/pairing.ts';
import type { PlanReport } from '../../protocol/plan-report.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import type { ChromeTrace } from '../../protocol/trace.ts';
import type { SamplingPins } from '../chat-admission.ts';
import type { TextModel } from '../text-model.ts';
import type { TokenSource } from '../token-source.ts';
import type { ReasoningView } from './dialect.ts';
import type { Metrics } from './metrics.ts';
import type { StoreApi } from './model-routes.ts';
import type { ListedModel } from './models.ts';
import type { StreamTimes } from './stream.ts';
import type { Traffic } from './traffic.ts';

/** What the API needs of the controller. */
export interface ApiDeps {
  source: TokenSource;
  /** the text side of the deployed model; undefined before there is one */
  textModel(): TextModel | undefined;
  /** all that clients may name, the deployed one first */
  models(): readonly ListedModel[];
  /** the model store; undefined where there is none */
  store?: StoreApi;
  /** has a known model deployed in the place of the present one; undefined where nobody can */
  deploy?(id: string): Promise<void>;
  /** what the operator has set for all requests */
  pins?: SamplingPins | undefined;
  /** sessions that the stages hold at once */
  maxSessions: number;
  status(): ClusterStatus;
  /** the last ten minutes */
  history(): ClusterHistory;
  operate: Operations;
  /** the last steps of all stages; @throws EspalierError not_ready */
  trace(steps: number): Promise<ChromeTrace>;
  /** the plan in force with its reasons; @throws EspalierError not_ready */
  plan(): Promise<PlanReport>;
  /** what went wrong, newest last */
  incidents(): IncidentsReport;
  /** has every node check itself: it takes some seconds */
  doctor(): Promise<DoctorReport>;
  /** who is paired, and who waits to be */
  pairing(): PairingReport;
  /** @throws EspalierError not_paired, key_changed, pairing_code_wrong, pairing_wait, pairing_failed */
  pair(node: string, code: string): Promise<PairedAnswer>;
  /** @throws EspalierError not_paired, home_not_writable */
  unpair(node: string): PairedAnswer;
  links(): LinksReport;
  /** has all links measured again, when no request runs */
  measureLinks(): LinksReport;
  log: Logger;
}

/** What an operator may do to a running cluster. @throws EspalierError not_found */
export interface Operations {
  drain(nodeId: string, now: boolean): OperationAnswer;
  undrain(nodeId: string): OperationAnswer;
  cancel(requestId: string): OperationAnswer;
}

export interface ApiContext {
  deps: ApiDeps;
  exchanges: Exchanges;
  streamTimes: StreamTimes;
  traffic: Traffic;
  metrics: Metrics;
  /** how long a request waits while the stages load */
  holdMs: number;
  /** how a request's reasoning is shown where the request itself does not say */
  viewFor(request: FastifyRequest): ReasoningView | undefined;
}

/** The reason of a signal when nobody is left to answer. */
export class ClientGone extends Error {
  constructor() {
    super('the client closed the connection');
    this.name = 'ClientGone';
  }
}

/** One request that is being answered. Its signal is aborted when its client leaves or the API closes. */
export interface Exchange extends Disposable {
  signal: AbortSignal;
}

/** The requests that are being answered. */
export class Exchanges {
  readonly #open = new Set<AbortController>();
  #closed: EspalierError | undefined;

  /** @throws EspalierError queue_full at MAX_REQUESTS, or what `abortAll` was told */
  open(socket: Socket): Exchange {
    if (this.#closed) throw this.#closed;
    if (this.#open.size >= MAX_REQUESTS) {
      throw new EspalierError('queue_full', `${MAX_REQUESTS} requests are being answered already.`);
    }
    const controller = new AbortController();
    const leave = (): void => controller.abort(new ClientGone());
    if (socket.destroyed) leave();
    socket.once('close', leave);
    this.#open.add(controller);
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        socket.off('close', leave);
        this.#open.delete(controller);
      },
    };
  }

  /** Ends every request with this error, the next ones too. */
  abortAll(reason: EspalierError): void {
    this.#closed = reason;
    for (const controller of this.#open) controller.abort(reason);
  }
}
