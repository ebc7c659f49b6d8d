// SRP over a real TLS channel: right and wrong passwords, forbidden public keys, and the binding to keys and channel.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import {
  channelName,
  SRP_PROOF_BYTES,
  SRP_PUBLIC_BYTES,
  SRP_SALT_BYTES,
  SrpProver,
  SrpVerifier,
} from '../../protocol/srp.ts';
import { dialTls, serverTls } from '../../protocol/tls.ts';
import { newIdentity } from '../support/identities.ts';

const NAME = Buffer.from('a channel');

describe('SRP', () => {
  test('who knows the password proves it, and learns that the other end does', () => {
    const verifier = new SrpVerifier(NAME, '12345678');
    const prover = new SrpProver(NAME, '12345678', verifier.salt);
    const proof = prover.prove(verifier.publicKey);
    const answer = verifier.verify(prover.publicKey, proof);
    assert.ok(answer);
    assert.ok(prover.isProof(answer));
    assert.equal(prover.publicKey.length, SRP_PUBLIC_BYTES);
    assert.equal(verifier.publicKey.length, SRP_PUBLIC_BYTES);
    assert.deepEqual([proof.length, answer.length], [SRP_PROOF_BYTES, SRP_PROOF_BYTES]);
    assert.equal(verifier.salt.length, SRP_SALT_BYTES);
  });

  test('another password, another channel, or nothing at all proves nothing', () => {
    const verifier = new SrpVerifier(NAME, '12345678');
    for (const [name, password] of [
      [NAME, '12345679'],
      [Buffer.from('another channel'), '12345678'],
    ] as const) {
      const prover = new SrpProver(name, password, verifier.salt);
      assert.equal(verifier.verify(prover.publicKey, prover.prove(verifier.publicKey)), undefined);
    }
    const prover = new SrpProver(NAME, '12345678', verifier.salt);
    prover.prove(verifier.publicKey);
    assert.equal(prover.isProof(Buffer.alloc(SRP_PROOF_BYTES)), false);
  });

  test('public keys by which anybody could know the secret are refused', () => {
    const verifier = new SrpVerifier(NAME, '12345678');
    const prover = new SrpProver(NAME, '12345678', verifier.salt);
    // RFC 5054, 2.5.3 and 2.5.4: what is 0 modulo N
    const nothing = Buffer.alloc(SRP_PUBLIC_BYTES);
    const tooMuch = Buffer.alloc(SRP_PUBLIC_BYTES, 0xff);
    for (const key of [nothing, tooMuch]) {
      assert.throws(() => verifier.verify(key, Buffer.alloc(SRP_PROOF_BYTES)), /invalid/);
      assert.throws(() => prover.prove(key), /invalid/);
    }
  });
});

describe('the name of a channel', () => {
  let server: ReturnType<typeof createServer>;
  let port = 0;
  let ours: Awaited<ReturnType<typeof newIdentity>>;
  let theirs: typeof ours;
  before(async () => {
    [ours, theirs] = await Promise.all([newIdentity(), newIdentity()]);
    server = createServer(serverTls(theirs, 3_000), (socket) => socket.on('error', () => undefined));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  after(() => server.close());

  test('is the same at both ends, and another one for other keys and for the next connection', async () => {
    const name = (socket: TLSSocket) => channelName(socket, ours.fingerprint, theirs.fingerprint).toString();
    const open = async () => {
      const accepted = once(server, 'secureConnection');
      const { socket } = await dialTls({ host: '127.0.0.1', port }, ours, { timeoutMs: 5_000 });
      return [socket, (await accepted)[0]] as [TLSSocket, TLSSocket];
    };
    const [here, there] = await open();
    assert.equal(name(here), name(there));
    assert.notEqual(
      name(here),
      channelName(here, theirs.fingerprint, ours.fingerprint).toString(),
      'who is who matters',
    );
    const [again] = await open();
    assert.notEqual(name(again), name(here), 'the channel matters');
    here.destroy();
    again.destroy();
  });
});
