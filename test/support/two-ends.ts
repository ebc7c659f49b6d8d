// Both ends of pairing, for real and without a cluster: an agent's front door on loopback, and a controller's trust.
import { pino } from 'pino';
import { FrontDoor } from '../../agent/front-door.ts';
import { Membership } from '../../agent/trust/membership.ts';
import { JoinTokens } from '../../controller/trust/join-tokens.ts';
import { NodePins } from '../../controller/trust/node-pins.ts';
import { Pairing } from '../../controller/trust/pairing.ts';
import { type Identity, loadIdentity } from '../../protocol/identity.ts';
import type { JoinToken } from '../../protocol/join-token.ts';
import type { HostPort } from '../../protocol/node.ts';
import { dialTls } from '../../protocol/tls.ts';
import { tempHome } from './temp-home.ts';

const log = pino({ level: 'silent' });

/** The agent's end: its port, and whom it obeys. */
export class AgentEnd {
  readonly identity: Identity;
  readonly home: string;
  readonly trust: Membership;
  readonly at: HostPort;
  readonly #door: FrontDoor;

  private constructor(identity: Identity, home: string, trust: Membership, door: FrontDoor, port: number) {
    this.identity = identity;
    this.home = home;
    this.trust = trust;
    this.#door = door;
    this.at = { host: '127.0.0.1', port };
  }

  static async up({ name = 'studio-2', home = tempHome(), token = undefined as JoinToken | undefined } = {}) {
    const identity = await loadIdentity(home, 'agent');
    const trust = Membership.open({ home, identity, name, token, log });
    const door = new FrontDoor(identity, trust, log, (socket) => socket.send('"hello, controller"'));
    return new AgentEnd(identity, home, trust, door, await door.listen('127.0.0.1', 0));
  }

  down(): void {
    this.trust.close();
    this.#door.close();
  }
}

/** The controller's end, and what it told people. */
export class ControllerEnd {
  readonly identity: Identity;
  readonly home: string;
  readonly pins: NodePins;
  readonly tokens: JoinTokens;
  readonly pairing: Pairing;
  readonly told: string[] = [];
  /** what is looked at when a node is told to be paired */
  whenPaired: () => void = () => undefined;

  private constructor(identity: Identity, home: string) {
    this.identity = identity;
    this.home = home;
    this.pins = NodePins.open(home);
    this.tokens = new JoinTokens(home, identity.fingerprint);
    this.pairing = new Pairing(identity, 'attic', this.pins, this.tokens, {
      onWaiting: ({ name }) => this.told.push(`${name} waits`),
      onKeyChanged: (message) => this.told.push(message),
      onPaired: ({ name }) => {
        this.told.push(`${name} paired`);
        this.whenPaired();
      },
    });
  }

  static async up(home = tempHome()) {
    return new ControllerEnd(await loadIdentity(home, 'controller'), home);
  }

  /** What happens when discovery finds somebody at an address that is not paired. */
  async meet(at: HostPort): Promise<boolean> {
    return this.pairing.meet(await dialTls(at, this.identity, { timeoutMs: 5_000 }), at);
  }
}
