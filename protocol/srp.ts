// Both ends of SRP-6a (RFC 5054) in HomeKit's group of 3,072 bits, bound to one TLS channel: who does not know the password
// learns nothing from it but whether one guess was right. It must not know what the password is for.
import { createHash, randomBytes } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { SRP, SrpClient, SrpServer } from 'fast-srp-hap';
import type { Fingerprint } from './identity.ts';

/** Bytes of A and B, and of both proofs: SHA-512. */
export const SRP_PUBLIC_BYTES = 384;
export const SRP_PROOF_BYTES = 64;
export const SRP_SALT_BYTES = 16;
/** RFC 5054, 2.5.4: at least 256 bits. */
const SECRET_BYTES = 32;
const GROUP = SRP.params.hap;
/** RFC 5705, 4: labels of private use begin so. */
const EXPORTER_LABEL = 'EXPERIMENTAL espalier pairing';

/**
 * What SRP takes for the user's name: the keys of both ends and the channel's own secret. Both proofs cover it, so that
 * somebody in between, who has two channels, cannot hand them on.
 */
export function channelName(socket: TLSSocket, controller: Fingerprint, agent: Fingerprint): Buffer {
  const exported = socket.exportKeyingMaterial(32, EXPORTER_LABEL, Buffer.alloc(0));
  const name = createHash('sha256').update(`espalier-pairing-1 ${controller} ${agent} `).update(exported);
  return Buffer.from(name.digest('hex'));
}

/** The end that types the password: the controller. */
export class SrpProver {
  readonly #client: SrpClient;

  constructor(name: Buffer, password: string, salt: Buffer) {
    this.#client = new SrpClient(GROUP, salt, name, Buffer.from(password), randomBytes(SECRET_BYTES));
  }

  /** A */
  get publicKey(): Buffer {
    return this.#client.computeA();
  }

  /** M1, to be said to the other end. @throws Error when B is none */
  prove(otherPublicKey: Buffer): Buffer {
    this.#client.setB(otherPublicKey);
    return this.#client.computeM1();
  }

  /** Whether M2 proves that the other end knew the password, too. */
  isProof(proof: Buffer): boolean {
    try {
      this.#client.checkM2(proof);
      return true;
    } catch {
      return false;
    }
  }
}

/** The end that showed the password: the agent. */
export class SrpVerifier {
  readonly salt = randomBytes(SRP_SALT_BYTES);
  readonly #server: SrpServer;

  constructor(name: Buffer, password: string) {
    this.#server = new SrpServer(GROUP, this.salt, name, Buffer.from(password), randomBytes(SECRET_BYTES));
  }

  /** B */
  get publicKey(): Buffer {
    return this.#server.computeB();
  }

  /** M2, to be said to the other end; undefined when its M1 is of another password. @throws Error when A is none */
  verify(otherPublicKey: Buffer, proof: Buffer): Buffer | undefined {
    this.#server.setA(otherPublicKey);
    try {
      this.#server.checkM1(proof);
    } catch {
      return undefined;
    }
    return this.#server.computeM2();
  }
}
