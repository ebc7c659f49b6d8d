// The way to a controller's status: with controller-calls.ts the only file here that knows a URL. It hands out validated
// snapshots and says in plain words what is wrong when there are none; what that means for the screen is not its business.
import { WebSocket } from 'ws';
import { credentialHeaders } from '../protocol/credential.ts';
import { ERRORS, EspalierError } from '../protocol/errors.ts';
import { MAX_STATUS_MESSAGE_BYTES, STATUS_SILENCE_MS } from '../protocol/limits.ts';
import { ClusterStatus, STATUS_PATH } from '../protocol/status.ts';
import { ESPALIER_VERSION } from '../protocol/version.ts';

const ANSWER_TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 250;
/** A controller that starts again is seen this soon. */
const MAX_RETRY_MS = 2_000;

export interface StatusHandlers {
  snapshot(status: ClusterStatus): void;
  /** no picture at the moment, and why, in a few words; called again after every attempt that fails */
  gone(trouble: string): void;
}

export interface WatchOptions {
  /** between two snapshots; the controller's own where left out */
  intervalMs?: number | undefined;
  firstRetryMs?: number;
  maxRetryMs?: number;
  silenceMs?: number;
}

/**
 * The base URL of a controller from what a person wrote: `http://host:port`, or `host:port` alone.
 * @throws EspalierError bad_option when it is no http(s) URL
 */
export function parseControllerUrl(text: string): string {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new EspalierError(
      'bad_option',
      `"${text}" is not the address of a controller: write it like http://127.0.0.1:7117`,
    );
  }
  return url.origin;
}

/**
 * One snapshot of a cluster.
 * @throws EspalierError controller_unreachable, or protocol_version when the answer is not understood
 */
export async function fetchStatus(controllerUrl: string, signal?: AbortSignal): Promise<ClusterStatus> {
  const deadline = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  let response: Response;
  let text: string;
  try {
    response = await fetch(new URL(STATUS_PATH, controllerUrl), {
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
      headers: { ...credentialHeaders(controllerUrl), accept: 'application/json' },
    });
    text = await response.text();
  } catch (error) {
    throw unreachable(controllerUrl, error);
  }
  if (response.status === 401 || response.status === 403)
    throw new EspalierError('unauthorized', `${controllerUrl} wants to know who asks`);
  if (!response.ok) {
    throw new EspalierError(
      'controller_unreachable',
      `${controllerUrl} answers GET ${STATUS_PATH} with HTTP ${response.status}: is it an Espalier controller?`,
    );
  }
  return parseStatus(text, controllerUrl);
}

/** The error for a request that got no answer. */
export function unreachable(controllerUrl: string, error: unknown): EspalierError {
  return new EspalierError(
    'controller_unreachable',
    `no controller answers at ${controllerUrl}: ${describeFailure(error)}`,
    { cause: error },
  );
}

/**
 * Follows the status stream until `stop()`: reconnects for ever, with a growing pause between attempts.
 * After `stop()` no handler is called.
 */
export function watchStatus(
  controllerUrl: string,
  handlers: StatusHandlers,
  {
    intervalMs,
    firstRetryMs = FIRST_RETRY_MS,
    maxRetryMs = MAX_RETRY_MS,
    silenceMs = Math.max(STATUS_SILENCE_MS, 3 * (intervalMs ?? 0)),
  }: WatchOptions = {},
): { stop(): void } {
  const url = new URL(STATUS_PATH, controllerUrl);
  if (intervalMs !== undefined) url.searchParams.set('intervalMs', String(Math.round(intervalMs)));
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  let stopped = false;
  let retryMs = firstRetryMs;
  let current: WebSocket;
  let retryTimer: NodeJS.Timeout | undefined;
  let silenceTimer: NodeJS.Timeout | undefined;

  const connect = () => {
    let trouble: string | undefined;
    const socket = new WebSocket(url, {
      headers: credentialHeaders(controllerUrl),
      handshakeTimeout: ANSWER_TIMEOUT_MS,
      maxPayload: MAX_STATUS_MESSAGE_BYTES,
      perMessageDeflate: false,
    });
    current = socket;
    const breakOff = (reason: string) => {
      trouble = reason;
      socket.terminate();
    };
    const awaitMessage = () => {
      clearTimeout(silenceTimer);
      silenceTimer = setTimeout(() => breakOff(`it has said nothing for ${silenceMs / 1000} s`), silenceMs);
    };
    socket.on('open', awaitMessage);
    socket.on('message', (data) => {
      if (stopped) return;
      awaitMessage();
      let status: ClusterStatus;
      try {
        status = parseStatus(String(data), controllerUrl);
      } catch (error) {
        // the connection stays: a new one would bring the same, the next message may be right again
        handlers.gone(describeFailure(error));
        return;
      }
      retryMs = firstRetryMs;
      handlers.snapshot(status);
    });
    socket.on('unexpected-response', (_request, response) => {
      if (response.statusCode === 401) return breakOff(`it wants a key. ${ERRORS.unauthorized.solve}`);
      return breakOff(`it answers HTTP ${response.statusCode ?? '?'} where the status stream should be`);
    });
    socket.on('error', (error) => {
      // breaking off raises an error too: the first reason is the true one
      trouble ??= describeFailure(error);
    });
    socket.on('close', () => {
      clearTimeout(silenceTimer);
      if (stopped) return;
      retryTimer = setTimeout(connect, retryMs);
      retryMs = Math.min(retryMs * 2, maxRetryMs);
      handlers.gone(trouble ?? 'it closed the connection');
    });
  };
  connect();

  return {
    stop() {
      stopped = true;
      clearTimeout(retryTimer);
      clearTimeout(silenceTimer);
      current.terminate();
    },
  };
}

function parseStatus(text: string, controllerUrl: string): ClusterStatus {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new EspalierError(
      'controller_unreachable',
      `${controllerUrl} does not answer in JSON: is it an Espalier controller?`,
      { cause: error },
    );
  }
  const status = ClusterStatus.safeParse(json);
  if (status.success) return status.data;
  const issue = status.error.issues[0];
  throw new EspalierError(
    'protocol_version',
    `the status of the controller at ${controllerUrl} is not understood: upgrade the older side (controller ` +
      `${versionIn(json)}, here ${ESPALIER_VERSION}; ${issue?.path.join('.') || 'all of it'}: ${issue?.message ?? 'invalid'})`,
  );
}

function versionIn(json: unknown): string {
  const version =
    typeof json === 'object' && json !== null && 'espalierVersion' in json ? json.espalierVersion : undefined;
  return typeof version === 'string' ? version : 'unknown';
}

const FAILURES: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ENOTFOUND: 'no host has this name',
  EAI_AGAIN: 'its name could not be looked up',
  ETIMEDOUT: 'it did not answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'it did not answer in time',
  UND_ERR_SOCKET: 'it closed the connection',
  TimeoutError: 'it did not answer in time',
};

/** What a failed connection means, in plain words. `fetch` hides the reason in `cause`. */
export function describeFailure(error: unknown): string {
  if (error instanceof EspalierError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  const known = FAILURES[code];
  if (known !== undefined) return known;
  return error.cause instanceof Error ? describeFailure(error.cause) : error.message || code;
}
