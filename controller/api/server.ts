// The HTTP server of the controller: its limits, errors, start and stop. What is said on it is up to the routes.
import type { IncomingMessage, ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import cors from '@fastify/cors';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { EspalierError } from '../../protocol/errors.ts';
import {
  API_BEAT_MS,
  API_CLOSE_MS,
  API_HEADERS_TIMEOUT_MS,
  API_HOLD_MS,
  API_LATE_CHECK_MS,
  API_REQUEST_TIMEOUT_MS,
  API_STALLED_CLIENT_MS,
  MAX_API_BODY_BYTES,
  MAX_API_CONNECTIONS,
  MAX_API_HEADER_BYTES,
  STATUS_INTERVAL_MS,
} from '../../protocol/limits.ts';
import { formatHostPort, type HostPort } from '../../protocol/node.ts';
import type { Access } from './access.ts';
import { type ApiContext, type ApiDeps, Exchanges } from './context.ts';
import { dialectRoutes } from './dialect-routes.ts';
import { errorBody } from './error-form.ts';
import { generalRoutes } from './general-routes.ts';
import { Metrics } from './metrics.ts';
import { modelRoutes } from './model-routes.ts';
import { ollamaRoutes } from './ollama/routes.ts';
import { openAiModelRoutes } from './openai/models.ts';
import { OpenApi } from './openapi.ts';
import { operationRoutes } from './operation-routes.ts';
import { pairingRoutes } from './pairing-routes.ts';
import { endWithError } from './raw-error.ts';
import { asRequestError, errorHeaders } from './request-error.ts';
import { RouteTable } from './route-table.ts';
import { StatusFeed } from './status-feed.ts';
import type { StreamTimes } from './stream.ts';
import { Traffic } from './traffic.ts';
import { webViewRoutes } from './web-view.ts';

export interface Api {
  fastify: FastifyInstance;
  /**
   * Listens; port 0 takes a free one.
   * @returns the address that it has
   * @throws EspalierError port_taken, bad_option
   */
  listen(at: { host: string; port: number }): Promise<HostPort & { url: string }>;
  /** Ends open streams with an error, then every connection, within API_CLOSE_MS. */
  close(): Promise<void>;
}

export interface ApiOptions extends Partial<StreamTimes> {
  /** the status stream's interval */
  statusIntervalMs?: number;
  /** how long a request waits while the stages load */
  holdMs?: number;
  /** who may ask what; without it everybody may do everything */
  access?: Access;
}

/** Builds the API. It listens when it is told to. */
export async function createApi(deps: ApiDeps, options: ApiOptions = {}): Promise<Api> {
  const { beatMs = API_BEAT_MS, stalledMs = API_STALLED_CLIENT_MS, holdMs = API_HOLD_MS, access } = options;
  const metrics = new Metrics(deps.status);
  const context: ApiContext = {
    deps,
    exchanges: new Exchanges(),
    streamTimes: { beatMs, stalledMs },
    traffic: new Traffic(deps.maxSessions, metrics),
    metrics,
    holdMs,
    viewFor: ({ headers }) => access?.viewFor(headers),
  };
  const fastify = createFastify(deps, metrics);
  const routes = new RouteTable();
  const openApi = new OpenApi(fastify);
  // first: a browser asks whether it may ask without showing a key
  const origins = access?.allowOrigins ?? [];
  if (origins.length > 0) await fastify.register(cors, { origin: [...origins] });
  if (access) fastify.addHook('onRequest', access.guard);
  fastify.addHook('onRoute', ({ url, method }) => routes.add(url, method));
  fastify.setErrorHandler((error, { url }, reply) => sendError(error, url, reply, { deps, metrics }));
  fastify.setNotFoundHandler(({ url, method }, reply) => {
    const [path = ''] = url.split('?');
    const allowed = routes.methodsOf(path);
    if (allowed.length > 0) reply.header('allow', allowed.join(', '));
    sendError(notFound(method, path, allowed), url, reply, { deps, metrics });
  });
  generalRoutes(fastify, context, routes);
  pairingRoutes(fastify, context);
  webViewRoutes(fastify);
  operationRoutes(fastify, context);
  modelRoutes(fastify, context);
  openAiModelRoutes(fastify, context);
  ollamaRoutes(fastify, context);
  dialectRoutes(fastify, context);
  fastify.get('/openapi.json', { config: { summary: 'This description' } }, () => openApi.document());
  await fastify.ready();
  const { statusIntervalMs = STATUS_INTERVAL_MS } = options;
  const feed = new StatusFeed(fastify.server, deps.status, statusIntervalMs, access);
  return {
    fastify,
    listen: (at) => listen(fastify, at),
    close: async () => {
      context.exchanges.abortAll(new EspalierError('not_ready', 'The controller is stopping.'));
      // A connection becomes idle once its last answer is out; the ones that take too long are cut off.
      const idle = setInterval(() => fastify.server.closeIdleConnections(), API_CLOSE_MS / 20);
      const cut = setTimeout(() => fastify.server.closeAllConnections(), API_CLOSE_MS);
      await Promise.all([feed.close(API_CLOSE_MS / 2), fastify.close()]);
      clearInterval(idle);
      clearTimeout(cut);
    },
  };
}

function createFastify(deps: ApiDeps, metrics: Metrics): FastifyInstance {
  const http: ServerOptions & { shouldUpgradeCallback(request: IncomingMessage): boolean } = {
    headersTimeout: API_HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: API_LATE_CHECK_MS,
    maxHeaderSize: MAX_API_HEADER_BYTES,
    // Without it, Node.js would hand every upgrade to the status feed, HTTP/2 offers on chat requests included.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
  };
  const fastify: FastifyInstance = Fastify({
    logger: false,
    http,
    bodyLimit: MAX_API_BODY_BYTES,
    requestTimeout: API_REQUEST_TIMEOUT_MS,
    // While it closes, requests get our own not_ready instead.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
    // A URL that cannot be decoded has no route yet, so its reply is generic over all routes.
    frameworkErrors: (error, { url }, reply) =>
      sendError(error, url ?? '', reply as unknown as FastifyReply, { deps, metrics }),
    clientErrorHandler: (error, socket) => {
      deps.log.debug({ err: error }, 'a connection to the API failed');
      endWithError(socket, connectionError(error));
    },
  });
  fastify.server.maxConnections = MAX_API_CONNECTIONS;
  // JSON alone: a form or plain text would let any web page send requests here without being asked first.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, JSON.parse(String(body)));
    } catch (error) {
      done(new EspalierError('invalid_request', `The body is not JSON: ${(error as Error).message}`));
    }
  });
  return fastify;
}

function sendError(
  error: unknown,
  url: string,
  reply: FastifyReply,
  { deps, metrics }: { deps: ApiDeps; metrics: Metrics },
): void {
  const failure = asRequestError(error);
  metrics.refusals.inc({ code: failure.code });
  if (failure.code === 'internal') deps.log.error({ err: error }, 'a request to the API failed');
  // Fastify would close the connection on a body that is too large, and the client, still sending, would see a reset
  // instead of the answer. Kept open, the rest of the body is read and thrown away, for API_REQUEST_TIMEOUT_MS at most.
  reply.removeHeader('connection');
  reply.code(failure.status).headers(errorHeaders(failure)).send(errorBody(failure, url));
}

function notFound(method: string, path: string, allowed: readonly string[]): EspalierError {
  const shown = path.slice(0, 200);
  if (allowed.length === 0) return new EspalierError('not_found', `There is no ${shown}.`);
  return new EspalierError('method_not_allowed', `${shown} takes ${allowed.join(' and ')}, not ${method}.`);
}

/** What was wrong before there was a request. */
function connectionError({ code }: NodeJS.ErrnoException): EspalierError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new EspalierError('headers_too_large', 'The headers of the request are too large.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new EspalierError('invalid_request', 'The request did not arrive in time.');
    default:
      return new EspalierError('invalid_request', 'This is not an HTTP/1.1 request.');
  }
}

async function listen(
  fastify: FastifyInstance,
  { host, port }: { host: string; port: number },
): Promise<HostPort & { url: string }> {
  // For "localhost" Fastify would open a second server, which our limits and our closing would not reach.
  const address = host === 'localhost' ? '127.0.0.1' : host;
  try {
    await fastify.listen({ host: address, port });
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, address, port);
  }
  const bound = { host: address, port: (fastify.server.address() as AddressInfo).port };
  return { ...bound, url: `http://${formatHostPort(bound)}` };
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): EspalierError {
  const cause = { cause: error };
  switch (error.code) {
    case 'EADDRINUSE':
      return new EspalierError(
        'port_taken',
        `Port ${port} on ${host} is taken by another program (see --port).`,
        cause,
      );
    case 'EACCES':
      return new EspalierError('bad_option', `--port ${port}: this user may not listen on it.`, cause);
    default:
      return new EspalierError('bad_option', `--host ${host} --port ${port}: ${error.message}.`, cause);
  }
}
