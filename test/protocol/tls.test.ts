// Both ends of a TLS connection, for real: each learns the other's key, and only what proves a key gets that far.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { fingerprintOf, type Identity } from '../../protocol/identity.ts';
import { dialTls, NoTls, peerFingerprint, serverTls } from '../../protocol/tls.ts';
import { newIdentity } from '../support/identities.ts';

const DIAL = { timeoutMs: 5_000 };

async function listen(server: Server): Promise<{ host: string; port: number }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

describe('TLS between two keys', () => {
  let ours: Identity;
  let theirs: Identity;
  let server: ReturnType<typeof createServer>;
  let at: { host: string; port: number };
  before(async () => {
    [ours, theirs] = await Promise.all([newIdentity(), newIdentity()]);
    server = createServer(serverTls(theirs, 2_000), (socket) => socket.on('error', () => undefined));
    at = await listen(server);
  });
  after(() => server.close());

  test('each learns the key of the other', async () => {
    const accepted = once(server, 'secureConnection');
    const { socket, fingerprint } = await dialTls(at, ours, DIAL);
    const [serverSide] = (await accepted) as [TLSSocket];
    assert.equal(fingerprint, theirs.fingerprint);
    assert.equal(peerFingerprint(serverSide), ours.fingerprint);
    assert.equal(socket.getProtocol(), 'TLSv1.3');
    const exporter = (end: TLSSocket) => end.exportKeyingMaterial(32, 'EXPERIMENTAL test', Buffer.alloc(0));
    assert.deepEqual(exporter(socket), exporter(serverSide), 'both ends can bind words to this channel');
    socket.destroy();
  });

  test('whoever shows no key is nobody', async () => {
    const accepted = once(server, 'secureConnection');
    const socket = connect({ ...at, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    const [serverSide] = (await accepted) as [TLSSocket];
    assert.equal(peerFingerprint(serverSide), undefined);
    socket.destroy();
  });

  test('a certificate without its key is worth nothing', async () => {
    assert.throws(() => connect({ ...at, key: ours.key, cert: theirs.certificate }), /key values mismatch/);
  });

  test('TLS 1.2 is refused, at either end', async () => {
    const refused = once(server, 'tlsClientError');
    const socket = connect({ ...at, maxVersion: 'TLSv1.2', rejectUnauthorized: false });
    await assert.rejects(once(socket, 'secureConnect'), /protocol version|alert/);
    await refused;

    const old = createServer({ key: theirs.key, cert: theirs.certificate, maxVersion: 'TLSv1.2' });
    old.on('tlsClientError', () => undefined);
    try {
      await assert.rejects(dialTls(await listen(old), ours, DIAL), NoTls);
    } finally {
      old.close();
    }
  });

  test('no session is taken up again', async () => {
    const sessions: Buffer[] = [];
    const open = async (session?: Buffer) => {
      const { key, certificate: cert } = ours;
      const socket = connect({ ...at, key, cert, rejectUnauthorized: false, ...(session && { session }) });
      socket.on('session', (given: Buffer) => sessions.push(given));
      socket.on('error', () => undefined);
      const [serverSide] = (await once(server, 'secureConnection')) as [TLSSocket];
      const isReused = serverSide.isSessionReused();
      serverSide.end('.');
      socket.resume();
      await once(socket, 'close');
      return isReused;
    };
    await open();
    for (const session of sessions.slice(0, 2)) assert.equal(await open(session), false);
  });

  test('what is no TLS is told to be too old', async () => {
    const plain = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    });
    try {
      await assert.rejects(dialTls(await listen(plain), ours, DIAL), { name: 'NoTls', message: /upgrade/ });
    } finally {
      plain.close();
    }
  });

  test('who says nothing is given up, and who closes too', async () => {
    const silent = createTcpServer();
    const closing = createTcpServer((socket) => socket.destroy());
    try {
      const nowhere = await listen(silent);
      await assert.rejects(dialTls(nowhere, ours, { timeoutMs: 50 }), { code: 'ETIMEDOUT' });
      await assert.rejects(dialTls(nowhere, ours, { ...DIAL, signal: AbortSignal.timeout(20) }), /given up/);
      await assert.rejects(dialTls(await listen(closing), ours, DIAL));
    } finally {
      silent.close();
      closing.close();
    }
  });

  test('a certificate that has expired, or is not valid yet, changes nothing', async () => {
    for (const year of [1985, 2085]) {
      const dated = await withDates(year);
      const accepted = once(server, 'secureConnection');
      const { socket } = await dialTls(at, dated, DIAL);
      const [serverSide] = (await accepted) as [TLSSocket];
      const certificate = new X509Certificate(dated.certificate);
      assert.equal(peerFingerprint(serverSide), fingerprintOf(certificate));
      socket.destroy();
    }
  });
});

/** Credentials that are valid in one year only. */
async function withDates(year: number): Promise<{ key: string; certificate: string }> {
  await import('reflect-metadata');
  const { PemConverter, X509CertificateGenerator } = await import('@peculiar/x509');
  const keys = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  assert.ok('privateKey' in keys);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=Espalier',
    notBefore: new Date(Date.UTC(year, 0)),
    notAfter: new Date(Date.UTC(year + 1, 0)),
    signingAlgorithm: { name: 'Ed25519' },
    keys,
  });
  const key = PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { key, certificate: certificate.toString('pem') };
}
