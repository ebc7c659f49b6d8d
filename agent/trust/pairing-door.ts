// The agent's end of pairing: whoever proves that he knows the code or the token becomes its controller. Wrong codes cost
// tries. It must not know what a controller may do.
import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import { type ErrorCode, EspalierError } from '../../protocol/errors.ts';
import type { Fingerprint } from '../../protocol/identity.ts';
import { type JoinToken, joinTokenId } from '../../protocol/join-token.ts';
import { PAIRING_TALK_MS } from '../../protocol/limits.ts';
import { type PairingAnswer, PairingWord, type Pin } from '../../protocol/pairing.ts';
import { channelName, SrpVerifier } from '../../protocol/srp.ts';
import { Talk, TalkEnded } from '../../protocol/talk.ts';
import { PROTOCOL_VERSION, versionMismatch } from '../../protocol/version.ts';
import type { Code } from './code.ts';
import type { Tries } from './tries.ts';

/** Conversations at once, in all and with one address: each costs a fifth of a second of work. */
const MAX_TALKS = 8;
const MAX_TALKS_PER_ADDRESS = 2;

type AgentTalk = Talk<PairingWord, PairingAnswer>;

export interface Stranger {
  socket: WebSocket;
  tls: TLSSocket;
  fingerprint: Fingerprint;
  address: string;
  /** takes a line for the log; a stranger cannot fill it */
  note(message: string): void;
}

export interface DoorOptions {
  /** of this agent */
  fingerprint: Fingerprint;
  name: string;
  tries: Tries;
  /** what must be proved to be known: a token that this agent was given, or the code that it shows */
  secret: { token: JoinToken } | { code: Code };
  log: Logger;
  /** keeps the pin; @throws EspalierError home_not_writable */
  onPaired(pin: Pin): void;
  /** the token does not count (any more), says the controller that made it */
  onTokenRefused(): void;
}

export class PairingDoor {
  readonly #options: DoorOptions;
  readonly #talks: string[] = [];
  #isOver = false;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** Leads one conversation, to its end. Never throws. */
  async greet(stranger: Stranger): Promise<void> {
    const talk: AgentTalk = new Talk(stranger.socket, PairingWord, PAIRING_TALK_MS);
    const { address } = stranger;
    const own = this.#talks.filter((one) => one === address).length;
    if (this.#talks.length >= MAX_TALKS || own >= MAX_TALKS_PER_ADDRESS) {
      refuse(talk, 'pairing_wait', 'others are just trying to pair with it: try again in some seconds');
      return;
    }
    this.#talks.push(address);
    try {
      await this.#lead(talk, stranger);
    } catch (error) {
      const { log } = this.#options;
      if (error instanceof EspalierError) refuse(talk, error.code, error.message);
      else talk.close();
      // one that only asks who is here says nothing and goes
      if (error instanceof EspalierError) stranger.note(`a pairing from ${address} failed: ${error.message}`);
      else if (error instanceof TalkEnded) log.debug({ address }, `a pairing broke off: ${error.message}`);
      else log.error(error, 'a pairing failed');
    } finally {
      this.#talks.splice(this.#talks.indexOf(address), 1);
    }
  }

  /** From now on nobody is paired, also not by a conversation that goes on. */
  close(): void {
    this.#isOver = true;
  }

  async #lead(talk: AgentTalk, { tls, fingerprint, address }: Stranger): Promise<void> {
    const { name, secret, onPaired } = this.#options;
    const token = 'token' in secret ? secret.token : undefined;
    const tokenId = token ? joinTokenId(token) : null;
    talk.say({ kind: 'hello', protocol: PROTOCOL_VERSION, name, tokenId });
    const start = await talk.next();
    if (start.kind === 'token-refused') {
      this.#tokenRefused(fingerprint, start.message);
      return talk.close();
    }
    if (start.kind !== 'start') throw outOfTurn(start.kind);
    const mismatch = versionMismatch(
      { who: `node ${name}`, protocol: PROTOCOL_VERSION },
      { who: 'the controller', protocol: start.protocol },
    );
    if (mismatch) throw new EspalierError('protocol_version', mismatch);
    if (token && fingerprint !== token.controller) {
      throw new EspalierError(
        'pairing_failed',
        `node ${name} was given a join token of another controller than this one`,
      );
    }
    if (!token) this.#assertMayTry();

    const password = token ? token.secret : this.#code.digits;
    const verifier = new SrpVerifier(channelName(tls, fingerprint, this.#options.fingerprint), password);
    talk.say({ kind: 'challenge', salt: base64(verifier.salt), publicKey: base64(verifier.publicKey) });
    const said = await talk.next();
    if (said.kind !== 'proof') throw outOfTurn(said.kind);
    // of several who began together, each must have a try of its own; and the code may be another by now
    if (!token) this.#assertMayTry();
    const isCurrent = token !== undefined || password === this.#code.digits;
    const proof = isCurrent ? verified(verifier, said.publicKey, said.proof) : undefined;
    if (!proof) throw this.#wrongSecret();
    talk.say({ kind: 'proof', proof: base64(proof) });

    const done = await talk.next();
    if (done.kind !== 'done') throw outOfTurn(done.kind);
    if (this.#isOver) throw new EspalierError('pairing_failed', `node ${name} was paired meanwhile`);
    onPaired({ fingerprint, name: start.controllerName, pairedAt: new Date().toISOString() });
    this.#options.tries.forgive();
    this.#options.log.info({ controller: start.controllerName, address }, 'paired');
    talk.close({ kind: 'paired' });
  }

  get #code(): Code {
    const { secret } = this.#options;
    if ('code' in secret) return secret.code;
    throw new TypeError('this agent has no code');
  }

  /** @throws EspalierError pairing_wait */
  #assertMayTry(): void {
    const { tries, name } = this.#options;
    if (this.#isOver) throw new EspalierError('pairing_failed', `node ${name} was paired meanwhile`);
    if (tries.waitMs === 0) return;
    const seconds = Math.ceil(tries.waitMs / 1000);
    throw new EspalierError(
      'pairing_wait',
      `node ${name} was told too many wrong codes: it listens again in ${seconds} s`,
    );
  }

  #wrongSecret(): EspalierError {
    const { tries, name, secret } = this.#options;
    // of a token there is nothing to guess
    if ('token' in secret)
      return new EspalierError('pairing_failed', `the join token of node ${name} is another`);
    tries.fail();
    if (tries.waitMs > 0) secret.code.renew();
    const seconds = Math.ceil(tries.waitMs / 1000);
    const next =
      seconds > 0
        ? `it listens again in ${seconds} s, and shows another code`
        : `${tries.left} more may be wrong before it makes you wait`;
    return new EspalierError('pairing_code_wrong', `that is not the code that node ${name} shows; ${next}`);
  }

  /** Only the controller that made the token knows what became of it. */
  #tokenRefused(fingerprint: Fingerprint, message: string): void {
    const { secret, log, onTokenRefused } = this.#options;
    if (!('token' in secret) || secret.token.controller !== fingerprint) return;
    log.error(message);
    onTokenRefused();
  }
}

function verified(verifier: SrpVerifier, publicKey: string, proof: string): Buffer | undefined {
  try {
    return verifier.verify(Buffer.from(publicKey, 'base64'), Buffer.from(proof, 'base64'));
  } catch {
    return undefined; // a public key that SRP forbids is a wrong answer like others
  }
}

function refuse(talk: AgentTalk, code: ErrorCode, message: string): void {
  talk.close({ kind: 'refused', code, message: message.slice(0, 500) });
}

function outOfTurn(kind: string): EspalierError {
  return new EspalierError('pairing_failed', `"${kind}" was not its turn`);
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64');
}
