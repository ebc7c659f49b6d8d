// Who is paired with this controller, who waits to be, and how one becomes the other: by a code that a person types, or by
// a join token. It must not know what paired nodes do.
import { EspalierError } from '../../protocol/errors.ts';
import { type Fingerprint, type Identity, idOf } from '../../protocol/identity.ts';
import { HELLO_TIMEOUT_MS, MAX_PAIRING_WORD_BYTES, MAX_WAITING_NODES } from '../../protocol/limits.ts';
import { formatHostPort, type HostPort } from '../../protocol/node.ts';
import {
  PAIRING_SOCKET_PATH,
  type PairingReport,
  type Pin,
  type WaitingNode,
} from '../../protocol/pairing.ts';
import { type Dialled, dialTls } from '../../protocol/tls.ts';
import { openAgentSocket } from '../agent-socket.ts';
import type { JoinTokens } from './join-tokens.ts';
import type { NodePins } from './node-pins.ts';
import { type Decision, pair } from './pair.ts';

/** A node that waits is met every ten seconds: who was not for three of them is gone. */
const WAITING_MS = 35_000;

interface Waiting {
  node: WaitingNode;
  at: HostPort;
  metAtMs: number;
}

export interface PairingListener {
  /** a node that waits, told once */
  onWaiting(node: WaitingNode): void;
  /** one that has the name of a paired node but another key, told once */
  onKeyChanged(message: string): void;
  /** both ends know each other */
  onPaired(pin: Pin): void;
}

export class Pairing {
  readonly #identity: Identity;
  readonly #name: string;
  readonly #pins: NodePins;
  readonly #tokens: JoinTokens;
  readonly #listener: PairingListener;
  /** by the node's id */
  readonly #waiting = new Map<string, Waiting>();
  /** conversations that go on, by the node's id; none of them rejects */
  readonly #talks = new Map<string, Promise<void>>();
  /** paired nodes that say that they have no controller */
  readonly #strayed = new Set<Fingerprint>();

  /** @param name of this controller, which its nodes show to people */
  constructor(
    identity: Identity,
    name: string,
    pins: NodePins,
    tokens: JoinTokens,
    listener: PairingListener,
  ) {
    this.#identity = identity;
    this.#name = name;
    this.#pins = pins;
    this.#tokens = tokens;
    this.#listener = listener;
  }

  /** Whether commands may go to the node with this key. While it is being paired, the node itself may not know it yet. */
  isPaired(fingerprint: Fingerprint): boolean {
    const isKnown = this.#pins.has(fingerprint) && !this.#strayed.has(fingerprint);
    return isKnown && !this.#talks.has(idOf(fingerprint));
  }

  /** A paired node has forgotten this controller: it waits to be paired again. */
  stray(fingerprint: Fingerprint): void {
    this.#strayed.add(fingerprint);
  }

  /** What a paired node's key is; undefined for others. */
  fingerprintOf(nodeId: string): Fingerprint | undefined {
    return this.#pins.byId(nodeId)?.fingerprint;
  }

  /**
   * Why a key is not that of the node which somebody claims to be.
   * @param nodeId what was claimed, by anybody, in Bonjour
   */
  impostor(nodeId: string | undefined, fingerprint: Fingerprint): string | undefined {
    const claimed = nodeId === undefined ? undefined : this.#pins.byId(nodeId);
    if (!claimed || claimed.fingerprint === fingerprint) return undefined;
    return (
      `what answers there says that it is ${claimed.name}, but has another key than ${claimed.name} was paired with: ` +
      'another machine pretends to be it, or an old address is still announced'
    );
  }

  /**
   * Asks a node that is not paired who it is, and pairs with it when it has a token of this controller that counts.
   * @returns whether it is paired now; false, too, while another conversation with it goes on
   * @throws EspalierError as `pair` does
   */
  async meet(dialled: Dialled, at: HostPort): Promise<boolean> {
    const nodeId = idOf(dialled.fingerprint);
    const isPaired = this.isPaired(dialled.fingerprint);
    if (isPaired || this.#talks.has(nodeId)) {
      // it may be paired by now, and to an agent that is, who comes to pair again has forgotten it
      dialled.socket.destroy();
      return isPaired;
    }
    return (await this.#alone(nodeId, () => this.#meet(nodeId, dialled, at))) !== undefined;
  }

  async #meet(nodeId: string, dialled: Dialled, at: HostPort): Promise<Pin | undefined> {
    let tokenId: string | null = null;
    const decide: Decision = (hello) => {
      tokenId = hello.tokenId;
      const token = tokenId === null ? undefined : this.#tokens.look(tokenId);
      if (token && 'secret' in token && this.#nameTaken(hello.name, nodeId) === undefined)
        return { password: token.secret };
      // an agent whose token was refused by the controller that made it shows a code instead
      const showsCode = tokenId === null || (token !== undefined && 'why' in token);
      this.#wait({ id: nodeId, name: hello.name, address: formatHostPort(at), showsCode }, at);
      return token && 'why' in token ? { tokenRefused: token.why } : undefined;
    };
    return await this.#pair(dialled, decide, (pin) => {
      const token = this.#tokens.look(tokenId ?? '');
      // another node may have used it while this one was proving that it knows it
      if (!token || 'why' in token)
        throw new EspalierError('pairing_failed', token?.why ?? 'the token is gone');
      this.#tokens.use(tokenId ?? '', pin.name);
    });
  }

  /**
   * Pairs with a node that waits, by the code that it shows.
   * @param nameOrId of the node
   * @throws EspalierError not_paired when no such node waits; key_changed; and as `pair` does
   */
  async pairByCode(nameOrId: string, code: string): Promise<{ id: string; name: string }> {
    const { node, at } = this.#find(nameOrId);
    const taken = this.#nameTaken(node.name, node.id);
    if (taken !== undefined) throw new EspalierError('key_changed', taken);
    if (!node.showsCode) {
      throw new EspalierError(
        'pairing_failed',
        `node ${node.name} was given a join token of another controller, or one that does not count: start its agent without it, then it shows a code`,
      );
    }
    for (let talk = this.#talks.get(node.id); talk; talk = this.#talks.get(node.id)) await talk;
    await this.#alone(node.id, async () => {
      const dialled = await this.#dial(node.name, at);
      if (idOf(dialled.fingerprint) !== node.id) {
        dialled.socket.destroy();
        throw new EspalierError('pairing_failed', `another node answers at ${formatHostPort(at)} by now`);
      }
      return await this.#pair(dialled, () => ({ password: code }));
    });
    return { id: node.id, name: node.name };
  }

  /** One conversation with a node at a time. */
  async #alone(nodeId: string, talk: () => Promise<Pin | undefined>): Promise<Pin | undefined> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#talks.set(nodeId, over);
    let pin: Pin | undefined;
    try {
      pin = await talk();
    } finally {
      this.#talks.delete(nodeId);
      resolve();
    }
    if (pin) this.#listener.onPaired(pin);
    return pin;
  }

  /**
   * From now on the node is a stranger.
   * @param onForgotten gets its id and its name before anything can fail
   * @throws EspalierError not_paired when there is no such node; home_not_writable when a restart would bring it back
   */
  unpair(nameOrId: string, onForgotten: (node: { id: string; name: string }) => void): void {
    const pin = this.#pins.find(nameOrId);
    const called = this.#pins.all.filter(({ name }) => name === nameOrId);
    if (called.length > 1 && !this.#pins.byId(nameOrId)) {
      const ids = called.map(({ fingerprint }) => idOf(fingerprint)).join(' or ');
      const message = `several paired nodes are called ${nameOrId}: name one by its id, ${ids}`;
      throw new EspalierError('not_paired', message);
    }
    if (!pin) {
      const names = this.#pins.all.map(({ name }) => name).join(', ');
      throw new EspalierError(
        'not_paired',
        `there is no paired node "${nameOrId}"; ${names === '' ? 'no node is' : `paired are: ${names}`}`,
      );
    }
    const id = idOf(pin.fingerprint);
    try {
      this.#pins.remove(id);
    } finally {
      onForgotten({ id, name: pin.name });
    }
  }

  /** A paired node tells its name, which may be another than when it was paired. */
  noteName(nodeId: string, name: string): void {
    try {
      this.#pins.rename(nodeId, name);
    } catch {
      // a full disk: after a restart it has its old name until it connects
    }
  }

  report(): PairingReport {
    this.#dropStale();
    return {
      waiting: [...this.#waiting.values()].map(({ node }) => node),
      paired: this.#pins.all.map(({ fingerprint, name, pairedAt }) => ({
        id: idOf(fingerprint),
        name,
        pairedAt,
      })),
    };
  }

  async #pair(
    dialled: Dialled,
    decide: Decision,
    beforeKept: (pin: Pin) => void = () => undefined,
  ): Promise<Pin | undefined> {
    const { socket: tls, fingerprint: agent } = dialled;
    const socket = openAgentSocket(tls, PAIRING_SOCKET_PATH, MAX_PAIRING_WORD_BYTES);
    const ends = {
      socket,
      tls,
      agent,
      controller: this.#identity.fingerprint,
      controllerName: this.#name,
    };
    let paired: Pin | undefined;
    await pair(ends, decide, (pin) => {
      beforeKept(pin);
      this.#pins.add(pin);
      this.#strayed.delete(agent);
      this.#waiting.delete(idOf(agent));
      paired = pin;
    });
    return paired;
  }

  async #dial(name: string, at: HostPort): Promise<Dialled> {
    try {
      return await dialTls(at, this.#identity, { timeoutMs: HELLO_TIMEOUT_MS });
    } catch (error) {
      const reason = (error as Error).message;
      throw new EspalierError(
        'pairing_failed',
        `node ${name} at ${formatHostPort(at)} cannot be reached: ${reason}`,
      );
    }
  }

  #wait(node: WaitingNode, at: HostPort): void {
    this.#dropStale();
    const isNew = !this.#waiting.has(node.id);
    if (isNew && this.#waiting.size >= MAX_WAITING_NODES) return;
    this.#waiting.set(node.id, { node, at, metAtMs: performance.now() });
    if (!isNew) return;
    const taken = this.#nameTaken(node.name, node.id);
    if (taken === undefined) this.#listener.onWaiting(node);
    else this.#listener.onKeyChanged(taken);
  }

  #dropStale(): void {
    for (const [id, { metAtMs }] of this.#waiting)
      if (performance.now() - metAtMs > WAITING_MS) this.#waiting.delete(id);
  }

  /** Why a name cannot be this node's: another key was paired under it. */
  #nameTaken(name: string, nodeId: string): string | undefined {
    const pin = this.#pins.find(name);
    if (!pin || idOf(pin.fingerprint) === nodeId) return undefined;
    return (
      `a node calls itself ${name}, but has another key than the ${name} that was paired on ${pin.pairedAt.slice(0, 10)}. ` +
      'Either its ESPALIER_HOME was removed or replaced, or that is another machine: two machines of one name need `espalier agent --name`'
    );
  }

  #find(nameOrId: string): Waiting {
    this.#dropStale();
    const waiting = [...this.#waiting.values()];
    const byId = this.#waiting.get(nameOrId);
    const [first, second] = byId ? [byId] : waiting.filter(({ node }) => node.name === nameOrId);
    if (first && second) {
      const ids = waiting.filter(({ node }) => node.name === nameOrId).map(({ node }) => node.id);
      throw new EspalierError(
        'not_paired',
        `several nodes called ${nameOrId} wait: name one by its id, ${ids.join(' or ')}`,
      );
    }
    if (first) return first;
    const pin = this.#pins.find(nameOrId);
    if (pin) throw new EspalierError('not_paired', `node ${nameOrId} is paired already`);
    const names = waiting.map(({ node }) => node.name).join(', ');
    throw new EspalierError(
      'not_paired',
      `no node "${nameOrId}" waits to be paired; ${names === '' ? 'none does' : `these do: ${names}`}`,
    );
  }
}
