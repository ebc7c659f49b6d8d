// How the agents of the demo come to its controller: by join tokens that the launcher makes, once for each home; later
// starts know each other. It must not know processes.
import { ControllerPin } from '../../agent/trust/controller-pin.ts';
import { JoinTokens } from '../../controller/trust/join-tokens.ts';
import { NodePins } from '../../controller/trust/node-pins.ts';
import { type Identity, loadIdentity } from '../../protocol/identity.ts';
import { formatJoinToken, joinTokenId } from '../../protocol/join-token.ts';
import { JOIN_TOKEN_VARIABLE } from '../cli/join-token.ts';

export class Joining {
  readonly #home: string;
  readonly #controller: Identity;
  readonly #tokens: JoinTokens;
  /** ids of those that were made */
  readonly #made: string[] = [];

  private constructor(home: string, controller: Identity) {
    this.#home = home;
    this.#controller = controller;
    this.#tokens = new JoinTokens(home, controller.fingerprint);
  }

  /**
   * Tokens of a launch before this one, which was killed before they were used, are taken back.
   * @param controllerHome of the demo alone; it need not exist yet
   * @throws EspalierError home_not_writable, home_damaged
   */
  static async open(controllerHome: string): Promise<Joining> {
    const joining = new Joining(controllerHome, await loadIdentity(controllerHome, 'controller'));
    joining.#tokens.takeBackAll();
    return joining;
  }

  /**
   * What an agent is started with, beside its own settings, so that it belongs to the controller.
   * @param agentHome need not exist yet
   * @throws EspalierError home_not_writable, home_damaged
   */
  async arguments(agentHome: string): Promise<{ args: string[]; env: Record<string, string> }> {
    const agent = await loadIdentity(agentHome, 'agent');
    const { pin } = ControllerPin.open(agentHome);
    const isKnown = NodePins.open(this.#home).has(agent.fingerprint);
    if (isKnown && pin?.fingerprint === this.#controller.fingerprint) return { args: [], env: {} };
    const token = this.#tokens.create();
    this.#made.push(joinTokenId(token));
    // a home that was left of another demo, of which only a part was removed
    return { args: pin ? ['--forget'] : [], env: { [JOIN_TOKEN_VARIABLE]: formatJoinToken(token) } };
  }

  /** The launch is over: tokens that no agent came to use open nothing. @throws EspalierError home_not_writable */
  end(): void {
    for (const id of this.#made) this.#tokens.takeBack(id);
  }
}
