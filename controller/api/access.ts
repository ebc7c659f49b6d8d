// Who may ask the API what. On loopback everybody may ask and chat, by a name that is this machine's own; changing the
// cluster takes the controller's own secret or an admin key. Elsewhere every request takes a key.
import type { IncomingHttpHeaders } from 'node:http';
import { isIPv4 } from 'node:net';
import type { onRequestHookHandler } from 'fastify';
import { EspalierError } from '../../protocol/errors.ts';
import { sameSecret } from '../../protocol/same-secret.ts';
import type { ApiKeys } from '../trust/api-keys.ts';
import type { ReasoningView } from './dialect.ts';

/** `anything`: also from strangers · `client`: asks and chats · `admin`: changes the cluster */
export type Need = 'anything' | 'client' | 'admin';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** who may use this route; clients when left out */
    access?: Need;
  }
}

export interface AccessOptions {
  /** where the API listens */
  host: string;
  /** of this start of the controller */
  secret: string;
  keys: Pick<ApiKeys, 'find'>;
  /** web pages that may ask, like `http://localhost:3000` */
  allowOrigins: readonly string[];
}

export class Access {
  readonly allowOrigins: readonly string[];
  readonly #isLoopback: boolean;
  readonly #secret: string;
  readonly #keys: Pick<ApiKeys, 'find'>;

  constructor({ host, secret, keys, allowOrigins }: AccessOptions) {
    this.allowOrigins = allowOrigins;
    this.#isLoopback = isLoopback(host);
    this.#secret = secret;
    this.#keys = keys;
  }

  /** Looks at each request before anything of it is read, by its route's `config.access`. */
  get guard(): onRequestHookHandler {
    return (request, _reply, done) => {
      const { access = 'client' } = request.routeOptions.config;
      const refusal = this.refusal(request.headers, access);
      if (refusal) done(refusal);
      else done();
    };
  }

  /** Why a request with these headers may not do that; undefined when it may. */
  refusal(headers: IncomingHttpHeaders, need: Need): EspalierError | undefined {
    // a page of another site can have its own name point to this machine: then it is not foreign to the browser
    if (this.#isLoopback && !isOwnName(headers.host)) {
      return new EspalierError('foreign_host', `This API is not called ${headers.host?.slice(0, 200)}.`);
    }
    if (need === 'anything' || (need === 'client' && this.#isLoopback)) return undefined;
    const key = keyIn(headers);
    if (key !== undefined && sameSecret(key, this.#secret)) return undefined;
    const known = key === undefined ? undefined : this.#keys.find(key);
    if (need === 'admin' ? known?.isAdmin : known) return undefined;
    if (need === 'admin' && (known || this.#isLoopback)) {
      const who = known ? `The key "${known.name}" is no admin key` : 'This request says nothing of who asks';
      return new EspalierError('forbidden', `${who}, and this changes the cluster.`);
    }
    const wrong =
      key === undefined ? 'There is no key in the request' : 'The key in the request is not known';
    return new EspalierError('unauthorized', `${wrong}.`);
  }

  /** How the thinking is shown to the client of the key in these headers; undefined where no known key says. */
  viewFor(headers: IncomingHttpHeaders): ReasoningView | undefined {
    const key = keyIn(headers);
    return key === undefined ? undefined : this.#keys.find(key)?.thinking;
  }
}

/** Whether an address is reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** `Authorization: Bearer KEY`, as OpenAI's clients say it, `x-api-key: KEY` as Anthropic's do, `api-key: KEY` as Azure's do. */
function keyIn(headers: IncomingHttpHeaders): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const alone = headers['x-api-key'] ?? headers['api-key'];
  return bearer ?? (typeof alone === 'string' ? alone : undefined);
}

/** Whether a Host header names this machine by a name that nobody else can give it. Without one it is no browser. */
function isOwnName(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = URL.parse(`http://${host}`)?.hostname.replace(/^\[|\]$/g, '');
  return name !== undefined && (isLoopback(name) || name.endsWith('.localhost'));
}
