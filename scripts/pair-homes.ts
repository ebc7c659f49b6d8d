// Pairs a controller and agents whose homes are all on this machine, before they start: whoever may write both homes needs
// no code. For `espalier up`, benches and tests; it must not know how pairing works over a network.
import { ControllerPin } from '../agent/trust/controller-pin.ts';
import { NodePins } from '../controller/trust/node-pins.ts';
import { loadIdentity } from '../protocol/identity.ts';

/** @throws EspalierError home_not_writable, home_damaged */
export async function pairHomes(
  controllerHome: string,
  agents: readonly { home: string; name: string }[],
): Promise<void> {
  const controller = await loadIdentity(controllerHome, 'controller');
  const pins = NodePins.open(controllerHome);
  const pairedAt = new Date().toISOString();
  for (const { home, name } of agents) {
    const { fingerprint } = await loadIdentity(home, 'agent');
    pins.add({ fingerprint, name, pairedAt });
    ControllerPin.open(home).set({ fingerprint: controller.fingerprint, name: 'this machine', pairedAt });
  }
}
