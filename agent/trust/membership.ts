// Whether this agent has a controller, and how it comes by one or loses it: paired it obeys one key, unpaired it shows a
// code or waits for the controller of its token. It must not know sockets or stages.
import type { Logger } from 'pino';
import { EspalierError } from '../../protocol/errors.ts';
import { type Fingerprint, type Identity, idOf } from '../../protocol/identity.ts';
import type { JoinToken } from '../../protocol/join-token.ts';
import type { Pin } from '../../protocol/pairing.ts';
import { Code } from './code.ts';
import { ControllerPin } from './controller-pin.ts';
import { PairingDoor, type Stranger } from './pairing-door.ts';
import { Tries } from './tries.ts';

export interface MembershipOptions {
  /** ESPALIER_HOME */
  home: string;
  identity: Identity;
  /** of this node */
  name: string;
  /** a join token that this agent was given; of no meaning once it is paired with that controller */
  token?: JoinToken | undefined;
  /** it begins without a controller, even if it had one */
  forget?: boolean | undefined;
  log: Logger;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #pin: ControllerPin;
  readonly #tries: Tries;
  #door: PairingDoor | undefined;
  #code: Code | undefined;
  #onChange: (isPaired: boolean) => void = () => undefined;

  private constructor(options: MembershipOptions) {
    this.#options = options;
    this.#pin = ControllerPin.open(options.home);
    this.#tries = Tries.open(options.home);
  }

  /** @throws EspalierError home_damaged, home_not_writable; paired_elsewhere when the token is of another controller */
  static open(options: MembershipOptions): Membership {
    const membership = new Membership(options);
    const { token, log, name, forget } = options;
    if (forget) membership.#pin.forget();
    const { pin } = membership.#pin;
    if (!pin) membership.#openDoor(token);
    else if (token && token.controller !== pin.fingerprint) {
      throw new EspalierError(
        'paired_elsewhere',
        `the join token is not of ${describe(pin)}, with which ${name} is paired`,
      );
    } else if (token) log.info('it is paired with the controller of its join token already');
    return membership;
  }

  /** @param onChange when it was paired, or unpaired */
  onChange(onChange: (isPaired: boolean) => void): void {
    this.#onChange = onChange;
  }

  get isPaired(): boolean {
    return this.#pin.pin !== undefined;
  }

  /** Whether that key is the controller's. */
  isController(fingerprint: Fingerprint | undefined): boolean {
    return this.#pin.isPinned(fingerprint);
  }

  /** Leads a conversation with a stranger who wants to be the controller. Only while it is not paired. */
  async greet(stranger: Stranger): Promise<void> {
    await this.#door?.greet(stranger);
  }

  /** Why a key that is not the controller's is not obeyed. */
  refusal(fingerprint: Fingerprint | undefined): EspalierError {
    const { name } = this.#options;
    const { pin } = this.#pin;
    if (fingerprint === undefined) return new EspalierError('not_paired', 'whoever connects must show a key');
    if (!pin)
      return new EspalierError('not_paired', `node ${name} is not paired with this controller, nor with any`);
    return new EspalierError(
      'paired_elsewhere',
      `node ${name} is paired with ${describe(pin)}; this controller has another key (${idOf(fingerprint)}). ` +
        'If it is the same machine, its ESPALIER_HOME is another one or was made anew',
    );
  }

  /** The controller lets this node go. */
  forget(): void {
    try {
      this.#pin.forget();
    } catch (error) {
      this.#options.log.error((error as Error).message);
    }
    this.#options.log.warn('unpaired: the controller let this node go');
    this.#onChange(false);
    this.#openDoor(undefined);
  }

  /** The process ends. */
  close(): void {
    this.#closeDoor();
  }

  #openDoor(token: JoinToken | undefined): void {
    this.#closeDoor();
    const { identity, name, home, log } = this.#options;
    const announce = (code: string) =>
      log.info(`not paired yet; its code is ${code} (\`espalier pair ${name}\` at the controller)`);
    if (token)
      log.info({ controller: idOf(token.controller) }, 'waiting for the controller of its join token');
    else this.#code = new Code(home, announce, (problem) => log.error(problem.message));
    const secret = this.#code ? { code: this.#code } : { token: token as JoinToken };
    this.#door = new PairingDoor({
      fingerprint: identity.fingerprint,
      name,
      tries: this.#tries,
      secret,
      log,
      onPaired: (pin) => {
        this.#pin.set(pin);
        this.#closeDoor();
        this.#onChange(true);
      },
      onTokenRefused: () => this.#openDoor(undefined),
    });
  }

  #closeDoor(): void {
    this.#door?.close();
    this.#code?.end();
    this.#door = undefined;
    this.#code = undefined;
  }
}

function describe({ name, fingerprint }: Pin): string {
  return `controller ${name} (${idOf(fingerprint)})`;
}
