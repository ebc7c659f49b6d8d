// The words of pairing: on the agent's port, as JSON on a WebSocket below TLS, and in the controller's API. Which code or
// token, and who may ask, is decided elsewhere.
import { z } from 'zod';
import { Fingerprint } from './identity.ts';
import { Shown, ShownName } from './printable.ts';
import { SRP_PROOF_BYTES, SRP_PUBLIC_BYTES, SRP_SALT_BYTES } from './srp.ts';

/** Where an agent listens for its controller, and for one to pair with: paths on the same port. */
export const CONTROL_SOCKET_PATH = '/control';
export const PAIRING_SOCKET_PATH = '/pair';

/** Base64 of exactly so many bytes. */
function Base64(bytes: number) {
  return z
    .string()
    .length(Math.ceil(bytes / 3) * 4)
    .regex(/^[A-Za-z0-9+/]+={0,2}$/);
}

const NodeName = ShownName(100);

/** agent → controller, in this order */
export const PairingAnswer = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('hello'),
    protocol: z.int(),
    name: NodeName,
    /** of the join token that the agent was given; null when it shows a code */
    tokenId: z
      .string()
      .regex(/^[0-9a-f]{16}$/)
      .nullable(),
  }),
  z.object({
    kind: z.literal('challenge'),
    salt: Base64(SRP_SALT_BYTES),
    publicKey: Base64(SRP_PUBLIC_BYTES),
  }),
  z.object({ kind: z.literal('proof'), proof: Base64(SRP_PROOF_BYTES) }),
  z.object({ kind: z.literal('paired') }),
  /** at any point; the agent closes the connection after it */
  z.object({ kind: z.literal('refused'), code: z.string().max(40), message: Shown(500) }),
]);
export type PairingAnswer = z.infer<typeof PairingAnswer>;

/** controller → agent, in this order */
export const PairingWord = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('start'), protocol: z.int(), controllerName: NodeName }),
  z.object({ kind: z.literal('proof'), publicKey: Base64(SRP_PUBLIC_BYTES), proof: Base64(SRP_PROOF_BYTES) }),
  /** the controller has pinned the agent: now the agent may pin the controller */
  z.object({ kind: z.literal('done') }),
  /** instead of `start`: the token that the agent was given is of no use */
  z.object({ kind: z.literal('token-refused'), message: Shown(500) }),
]);
export type PairingWord = z.infer<typeof PairingWord>;

/** GET: who waits and who is paired. POST `PairRequest`: pairs. */
export const PAIRING_PATH = '/cluster/v1/pairing';
/** POST `UnpairRequest`. */
export const UNPAIRING_PATH = '/cluster/v1/unpairing';

export const CODE_DIGITS = 8;

/** Eight digits, however they are grouped: `1234-5678`, `1234 5678`. */
export const PairingCode = z
  .string()
  .max(40)
  .transform((text) => text.replaceAll(/[\s-]/g, ''))
  .pipe(z.string().regex(/^\d{8}$/, `the code has ${CODE_DIGITS} digits`));

/** `node`: its name or its id */
export const PairRequest = z.object({ node: NodeName, code: PairingCode });
export const UnpairRequest = z.object({ node: NodeName });

const WaitingNode = z.object({
  id: z.string(),
  name: z.string(),
  address: z.string(),
  /** it shows a code; otherwise it was given a join token, and none of this controller that still counts */
  showsCode: z.boolean(),
});
export type WaitingNode = z.infer<typeof WaitingNode>;

const PairedNode = z.object({ id: z.string(), name: z.string(), pairedAt: z.iso.datetime() });

export const PairingReport = z.object({ waiting: z.array(WaitingNode), paired: z.array(PairedNode) });
export type PairingReport = z.infer<typeof PairingReport>;

/** The answer to both POSTs. */
export const PairedAnswer = z.object({ node: z.object({ id: z.string(), name: z.string() }) });
export type PairedAnswer = z.infer<typeof PairedAnswer>;

/** What `nodes.json` and `paired.json` hold of the other side. */
export const Pin = z.object({ fingerprint: Fingerprint, name: NodeName, pairedAt: z.iso.datetime() });
export type Pin = z.infer<typeof Pin>;
