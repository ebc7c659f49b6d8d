// Who this agent or controller is, for good: an Ed25519 key with a self-signed certificate under ESPALIER_HOME, and an id
// from the key. A node that comes back is the same node, never a ghost. It must not know who trusts whom.
import { createHash, createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { EspalierError } from './errors.ts';
import { createOwnFile, readOwnFile } from './home-files.ts';

/** Of a public key: the sha256 of its SPKI, in hexadecimal. Others pin this, and nothing else of a certificate. */
export const Fingerprint = z.string().regex(/^[0-9a-f]{64}$/);
export type Fingerprint = z.infer<typeof Fingerprint>;

/** What its owner needs to speak TLS. The key leaves the process only for a child that speaks in its name. */
export const Credentials = z.object({ key: z.string(), certificate: z.string() });
export type Credentials = z.infer<typeof Credentials>;

export interface Identity extends Credentials {
  /** the first 16 hexadecimal digits of the fingerprint */
  id: string;
  fingerprint: Fingerprint;
}

export type Role = 'agent' | 'controller';

/**
 * Reads the identity of a role, or makes it at the first start.
 * @param home ESPALIER_HOME; the key and the certificate are in the file `<role>.pem` in it, mode 600
 * @throws EspalierError home_not_writable; home_damaged when the file is damaged or others may read it
 */
export async function loadIdentity(home: string, role: Role): Promise<Identity> {
  const path = join(home, `${role}.pem`);
  const known = readIdentity(path);
  if (known) return known;
  createOwnFile(path, await makePem()); // another process with this home may have made it in between
  const made = readIdentity(path);
  if (made) return made;
  throw new EspalierError('home_not_writable', `${path} is gone as soon as it is written`);
}

/** Of the key in a certificate. */
export function fingerprintOf(certificate: X509Certificate): Fingerprint {
  return fingerprintOfKey(certificate.publicKey);
}

/** The id of whoever has the key with a fingerprint. */
export function idOf(fingerprint: Fingerprint): string {
  return fingerprint.slice(0, 16);
}

function fingerprintOfKey(key: KeyObject): Fingerprint {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

function readIdentity(path: string): Identity | undefined {
  const pem = readOwnFile(path);
  if (pem === undefined) return undefined;
  try {
    const key = block(pem, 'PRIVATE KEY');
    const certificate = block(pem, 'CERTIFICATE');
    const privateKey = createPrivateKey(key);
    if (!new X509Certificate(certificate).checkPrivateKey(privateKey))
      throw new Error('its key and its certificate do not belong together');
    const fingerprint = fingerprintOfKey(createPublicKey(privateKey));
    return { id: idOf(fingerprint), fingerprint, key, certificate };
  } catch (error) {
    const fix = 'Put it back from a backup; or remove it: then it gets a new key and must be paired anew.';
    throw new EspalierError('home_damaged', `${path} is damaged (${(error as Error).message}). ${fix}`);
  }
}

function block(pem: string, label: string): string {
  const found = new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----\n?`).exec(pem)?.[0];
  if (found === undefined) throw new Error(`it has no ${label.toLowerCase()}`);
  return found;
}

/**
 * A new key with its certificate. Nobody looks at its dates: they are the widest that a certificate can have (RFC 5280,
 * 4.1.2.5), for clocks that are off by years.
 */
async function makePem(): Promise<string> {
  // only at the first start of all: the library takes longer to load than the key to make
  await import('reflect-metadata');
  const { PemConverter, X509CertificateGenerator } = await import('@peculiar/x509');
  const keys = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  if (!('privateKey' in keys)) throw new TypeError('Ed25519 is no pair of keys here');
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=Espalier',
    notBefore: new Date('1970-01-01T00:00:00Z'),
    notAfter: new Date('9999-12-31T23:59:59Z'),
    signingAlgorithm: { name: 'Ed25519' },
    keys,
  });
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return `${PemConverter.encode(key, 'PRIVATE KEY')}\n${certificate.toString('pem')}\n`;
}
