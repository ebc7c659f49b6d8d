// TLS 1.3 between processes that know each other's keys: what both ends offer, and who is at the other end. Certificates
// only carry keys here: no authority, no name and no date in them counts. It must not know who is trusted.
import { constants } from 'node:crypto';
import { connect, type SecureContextOptions, type TLSSocket, type TlsOptions } from 'node:tls';
import { type Credentials, type Fingerprint, fingerprintOf } from './identity.ts';
import { formatHostPort, type HostPort } from './node.ts';

/** What both ends say. @param credentials of the process that speaks, or of the agent in whose name it speaks */
function secureOptions({ key, certificate }: Credentials): SecureContextOptions {
  return {
    key,
    cert: certificate,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    // the fastest of the three where the processor knows AES, as every Mac and every server does
    ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
    // no session is taken up again: each connection proves its key. Early data needs a session, so there is none either.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/**
 * For a server that asks everybody for a certificate. It lets everybody in: look at `peerFingerprint` of each socket.
 * @param handshakeTimeoutMs after which a handshake that is not done has failed
 */
export function serverTls(credentials: Credentials, handshakeTimeoutMs: number): TlsOptions {
  // `rejectUnauthorized` would ask an authority; that the other end has its certificate's key, TLS itself proves
  return {
    ...secureOptions(credentials),
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: handshakeTimeoutMs,
  };
}

/** Of the key at the other end, which has proved that it has it; undefined when it showed none. */
export function peerFingerprint(socket: TLSSocket): Fingerprint | undefined {
  if (socket.isSessionReused()) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate && fingerprintOf(certificate);
}

export interface DialOptions {
  timeoutMs: number;
  /** this machine's address to dial from; the system chooses when undefined */
  from?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface Dialled {
  socket: TLSSocket;
  /** of the key at the other end: look at it before a word is said */
  fingerprint: Fingerprint;
}

/**
 * Opens a connection and has both ends prove their keys.
 * @throws Error of the socket, with the system's `code`; NoTls when something else than TLS 1.3 answers
 */
export function dialTls(
  { host, port }: HostPort,
  credentials: Credentials,
  { timeoutMs, from, signal }: DialOptions,
): Promise<Dialled> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...secureOptions(credentials),
      host,
      port,
      ...(from !== undefined && { localAddress: from }),
      rejectUnauthorized: false,
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 1_000);
    const fail = (error: Error) => {
      done();
      socket.destroy();
      reject(error);
    };
    const abort = () => fail(new Error('it was given up'));
    const close = () => fail(new Error('the other side closed it before it said who it is'));
    const error = (problem: NodeJS.ErrnoException) =>
      fail(isNoTls(problem) ? new NoTls(host, port) : problem);
    const timer = setTimeout(() => fail(timeout(timeoutMs)), timeoutMs);
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.off('error', error).off('close', close);
      // one that comes after this, or at once with it, is told by the close
      socket.on('error', () => undefined);
    };
    signal?.addEventListener('abort', abort, { once: true });
    socket.once('error', error);
    socket.once('close', close);
    socket.once('secureConnect', () => {
      const fingerprint = peerFingerprint(socket);
      if (fingerprint === undefined) return fail(new Error('the other side showed no key'));
      done();
      resolve({ socket, fingerprint });
    });
    if (signal?.aborted) abort();
  });
}

function timeout(timeoutMs: number): NodeJS.ErrnoException {
  return Object.assign(new Error(`no answer within ${timeoutMs / 1000} s`), { code: 'ETIMEDOUT' });
}

/** Something answers that does not speak TLS 1.3: another program, or an Espalier older than protocol 4. */
export class NoTls extends Error {
  constructor(host: string, port: number) {
    super(
      `what listens at ${formatHostPort({ host, port })} does not speak TLS 1.3: ` +
        'if that is Espalier, its version is too old; upgrade it',
    );
    this.name = 'NoTls';
  }
}

function isNoTls({ code = '' }: NodeJS.ErrnoException): boolean {
  return /^ERR_SSL_(WRONG_VERSION_NUMBER|UNSUPPORTED_PROTOCOL|PACKET_LENGTH_TOO_LONG|TLSV1_ALERT_PROTOCOL_VERSION|HTTP_REQUEST)$/.test(
    code,
  );
}
