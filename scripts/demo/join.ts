// How an agent of the demo comes to its controller: by a join token that the launcher makes, once for each home; later
// starts know each other. It must not know processes.
import { ControllerPin } from '../../agent/trust/controller-pin.ts';
import { JoinTokens } from '../../controller/trust/join-tokens.ts';
import { NodePins } from '../../controller/trust/node-pins.ts';
import { loadIdentity } from '../../protocol/identity.ts';
import { formatJoinToken } from '../../protocol/join-token.ts';
import { JOIN_TOKEN_VARIABLE } from '../cli/join-token.ts';

/**
 * What an agent is started with, beside its own settings, so that it belongs to the controller.
 * @param controllerHome and `agentHome` need not exist yet
 * @throws EspalierError home_not_writable, home_damaged
 */
export async function joinArguments(
  controllerHome: string,
  agentHome: string,
): Promise<{ args: string[]; env: Record<string, string> }> {
  const controller = await loadIdentity(controllerHome, 'controller');
  const agent = await loadIdentity(agentHome, 'agent');
  const { pin } = ControllerPin.open(agentHome);
  const isKnown = NodePins.open(controllerHome).has(agent.fingerprint);
  if (isKnown && pin?.fingerprint === controller.fingerprint) return { args: [], env: {} };
  const token = new JoinTokens(controllerHome, controller.fingerprint).create();
  // a home that was left of another demo, of which only a part was removed
  return { args: pin ? ['--forget'] : [], env: { [JOIN_TOKEN_VARIABLE]: formatJoinToken(token) } };
}
