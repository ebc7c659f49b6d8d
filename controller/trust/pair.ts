// The controller's end of one conversation with an agent that is not paired with it: asks who it is, and pairs with it when
// it knows the code or the token. It must not know where either comes from.
import type { TLSSocket } from 'node:tls';
import type { WebSocket } from 'ws';
import { EspalierError, isErrorCode } from '../../protocol/errors.ts';
import type { Fingerprint } from '../../protocol/identity.ts';
import { PAIRING_TALK_MS } from '../../protocol/limits.ts';
import { PairingAnswer, type PairingWord, type Pin } from '../../protocol/pairing.ts';
import { channelName, SrpProver } from '../../protocol/srp.ts';
import { Talk, TalkEnded } from '../../protocol/talk.ts';
import { PROTOCOL_VERSION, versionMismatch } from '../../protocol/version.ts';

type ControllerTalk = Talk<PairingAnswer, PairingWord>;
type Hello = PairingAnswer & { kind: 'hello' };

export interface Ends {
  socket: WebSocket;
  tls: TLSSocket;
  /** of the agent */
  agent: Fingerprint;
  /** of this controller */
  controller: Fingerprint;
  /** of this controller, for people */
  controllerName: string;
}

/**
 * What to say to an agent that has said who it is: the password to pair by, why its token does not count, or nothing.
 * @throws EspalierError when it must not be paired
 */
export type Decision = (hello: Hello) => { password: string } | { tokenRefused: string } | undefined;

/**
 * Leads the conversation to its end and closes it.
 * @param keep pins the agent; what it throws ends the pairing
 * @throws EspalierError pairing_code_wrong, pairing_wait, pairing_failed, protocol_version, paired_elsewhere
 */
export async function pair(ends: Ends, decide: Decision, keep: (pin: Pin) => void): Promise<void> {
  const talk: ControllerTalk = new Talk(ends.socket, PairingAnswer, PAIRING_TALK_MS);
  try {
    await lead(talk, ends, decide, keep);
  } catch (error) {
    if (!(error instanceof TalkEnded)) throw error;
    throw new EspalierError('pairing_failed', `the conversation with the node broke off: ${error.message}`);
  } finally {
    talk.close();
  }
}

async function lead(
  talk: ControllerTalk,
  { tls, agent, controller, controllerName }: Ends,
  decide: Decision,
  keep: (pin: Pin) => void,
): Promise<void> {
  const hello = await hear(talk, 'hello');
  const mismatch = versionMismatch(
    { who: 'this controller', protocol: PROTOCOL_VERSION },
    { who: `node ${hello.name}`, protocol: hello.protocol },
  );
  if (mismatch) throw new EspalierError('protocol_version', mismatch);
  const decision = decide(hello);
  if (decision && 'tokenRefused' in decision)
    talk.say({ kind: 'token-refused', message: decision.tokenRefused });
  if (!decision || 'tokenRefused' in decision) return;

  talk.say({ kind: 'start', protocol: PROTOCOL_VERSION, controllerName });
  const challenge = await hear(talk, 'challenge');
  const salt = Buffer.from(challenge.salt, 'base64');
  const prover = new SrpProver(channelName(tls, controller, agent), decision.password, salt);
  const proof = proofOf(prover, challenge.publicKey);
  talk.say({
    kind: 'proof',
    publicKey: prover.publicKey.toString('base64'),
    proof: proof.toString('base64'),
  });
  const answer = await hear(talk, 'proof');
  if (!prover.isProof(Buffer.from(answer.proof, 'base64'))) {
    throw new EspalierError('pairing_failed', `what answers for node ${hello.name} does not know its code`);
  }
  // first here: an agent that pins a controller that has not pinned it would be lost to everybody
  keep({ fingerprint: agent, name: hello.name, pairedAt: new Date().toISOString() });
  talk.say({ kind: 'done' });
  await hear(talk, 'paired');
}

async function hear<K extends PairingAnswer['kind']>(
  talk: ControllerTalk,
  kind: K,
): Promise<Extract<PairingAnswer, { kind: K }>> {
  const word = await talk.next();
  if (word.kind === kind) return word as Extract<PairingAnswer, { kind: K }>;
  if (word.kind === 'refused') {
    throw new EspalierError(isErrorCode(word.code) ? word.code : 'pairing_failed', word.message);
  }
  throw new EspalierError('pairing_failed', `the node said "${word.kind}" instead of "${kind}"`);
}

function proofOf(prover: SrpProver, publicKey: string): Buffer {
  try {
    return prover.prove(Buffer.from(publicKey, 'base64'));
  } catch {
    throw new EspalierError('pairing_failed', 'the node sent a public key that SRP forbids');
  }
}
