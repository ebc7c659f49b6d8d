// Pairing by the controller's API: who waits, pair, unpair. It prints nothing and asks nobody else.
import { setTimeout as delay } from 'node:timers/promises';
import {
  PAIRING_PATH,
  PairedAnswer,
  PairingReport,
  UNPAIRING_PATH,
  type WaitingNode,
} from '../../../protocol/pairing.ts';
import { askController } from '../ask-controller.ts';

/** The controller answers when the node has, which has PAIRING_TALK_MS. */
const ANSWER_TIMEOUT_MS = 20_000;
/** A controller meets a new node within a second or two, and one that it has met within ten. */
const SEARCH_MS = 12_000;
const POLL_MS = 500;

/** @throws what `askController` throws */
export async function fetchPairing(controllerUrl: string): Promise<PairingReport> {
  const question = { path: PAIRING_PATH, schema: PairingReport, what: 'nodes', timeoutMs: ANSWER_TIMEOUT_MS };
  return (await askController(controllerUrl, question)).data;
}

/**
 * The node that waits under a name or an id; one that was just started is waited for.
 * @returns undefined when none has come within SEARCH_MS, and where several have the name: the controller says which
 * @throws what `askController` throws
 */
export async function findWaiting(
  controllerUrl: string,
  nameOrId: string,
  searchMs = SEARCH_MS,
): Promise<WaitingNode | undefined> {
  const end = performance.now() + searchMs;
  for (;;) {
    const { waiting, paired } = await fetchPairing(controllerUrl);
    const isIt = ({ name, id }: { name: string; id: string }) => name === nameOrId || id === nameOrId;
    const found = waiting.filter(isIt);
    const [first] = found;
    if (found.length > 1) return found.find(({ id }) => id === nameOrId);
    if (first || paired.some(isIt) || performance.now() > end) return first;
    await delay(POLL_MS);
  }
}

/** @throws what `askController` throws: wrong codes are the API's own words */
export async function pairNode(controllerUrl: string, node: string, code: string): Promise<PairedAnswer> {
  return ask(controllerUrl, PAIRING_PATH, { node, code });
}

/** @throws what `askController` throws */
export async function unpairNode(controllerUrl: string, node: string): Promise<PairedAnswer> {
  return ask(controllerUrl, UNPAIRING_PATH, { node });
}

async function ask(controllerUrl: string, path: string, body: object): Promise<PairedAnswer> {
  const question = { path, schema: PairedAnswer, what: 'pairing', timeoutMs: ANSWER_TIMEOUT_MS, body };
  return (await askController(controllerUrl, question)).data;
}
