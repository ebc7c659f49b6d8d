// The token that lets a machine without a screen join: made at the controller, given to the agent. It must not know how
// the two meet.
import { createHash, randomBytes } from 'node:crypto';
import { EspalierError } from './errors.ts';
import { Fingerprint } from './identity.ts';

const PREFIX = 'espalier-join-1.';
const FINGERPRINT_BYTES = 32;
/** As hard to guess as a key is. */
const SECRET_BYTES = 16;

export interface JoinToken {
  /** the controller that made it: no other one may use it */
  controller: Fingerprint;
  secret: string;
}

/** A new one. @param controller the fingerprint of the controller that makes it */
export function newJoinToken(controller: Fingerprint): JoinToken {
  return { controller, secret: randomBytes(SECRET_BYTES).toString('hex') };
}

/** By which both sides call a token without saying it. */
export function joinTokenId({ secret }: JoinToken): string {
  return createHash('sha256').update(`espalier token ${secret}`).digest('hex').slice(0, 16);
}

/** The token as text without spaces. */
export function formatJoinToken({ controller, secret }: JoinToken): string {
  return PREFIX + Buffer.from(controller + secret, 'hex').toString('base64url');
}

/** @throws EspalierError bad_option; the message does not repeat what was given */
export function parseJoinToken(text: string): JoinToken {
  const encoded = text.trim();
  const bytes = Buffer.from(encoded.slice(PREFIX.length), 'base64url');
  if (!encoded.startsWith(PREFIX) || bytes.length !== FINGERPRINT_BYTES + SECRET_BYTES) {
    const what =
      encoded === ''
        ? 'the join token is empty'
        : `what was given is no join token (${PREFIX}…), or not all of it`;
    throw new EspalierError('bad_option', `${what}: \`espalier token create\` at the controller makes one`);
  }
  const hex = bytes.toString('hex');
  return {
    controller: Fingerprint.parse(hex.slice(0, 2 * FINGERPRINT_BYTES)),
    secret: hex.slice(2 * FINGERPRINT_BYTES),
  };
}
