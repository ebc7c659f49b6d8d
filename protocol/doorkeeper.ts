// Stands before a listening socket: strangers get little room and little time, and whoever pushes only makes room for
// himself smaller. What was refused is logged, but never more than a few lines a minute. It must not know what is said.
import type { Socket } from 'node:net';
import { isIPv4 } from 'node:net';
import { LimitedLog } from './limited-log.ts';
import {
  MAX_STRANGERS,
  MAX_STRANGERS_PER_ADDRESS,
  MAX_STRANGERS_PER_SECOND,
  STRANGER_TIMEOUT_MS,
} from './limits.ts';

export interface DoorLimits {
  /** strangers at once, in all and from one address */
  total: number;
  perAddress: number;
  /** new ones from one address, of which as many may come at once */
  perSecond: number;
  /** until one must be known */
  timeoutMs: number;
}

const LIMITS: DoorLimits = {
  total: MAX_STRANGERS,
  perAddress: MAX_STRANGERS_PER_ADDRESS,
  perSecond: MAX_STRANGERS_PER_SECOND,
  timeoutMs: STRANGER_TIMEOUT_MS,
};

interface Stranger {
  socket: Socket;
  address: string;
  timer: NodeJS.Timeout;
}

/** Tokens of an address: each connection takes one, and they come back with time. */
interface Bucket {
  tokens: number;
  atMs: number;
}

/** Addresses whose pace is remembered; one that is forgotten begins anew. */
const MAX_BUCKETS = 1_024;

export class Doorkeeper {
  readonly #log: LimitedLog;
  readonly #limits: DoorLimits;
  /** in the order in which they came */
  readonly #strangers = new Map<string, Stranger>();
  readonly #buckets = new Map<string, Bucket>();

  /** @param log gets a line for what was refused, at most MAX_REFUSALS_LOGGED in REFUSALS_LOGGED_MS */
  constructor(log: (message: string) => void, limits: Partial<DoorLimits> = {}) {
    this.#log = new LimitedLog(log);
    this.#limits = { ...LIMITS, ...limits };
  }

  get strangerCount(): number {
    return this.#strangers.size;
  }

  /**
   * Takes a socket that was just accepted, as a stranger.
   * @returns false when it was closed instead
   */
  admit(socket: Socket): boolean {
    const key = keyOf(socket);
    const address = addressOf(socket);
    if (!this.#isPaced(address)) {
      socket.destroy();
      this.note(`${address} comes more than ${this.#limits.perSecond} times a second: closed`);
      return false;
    }
    // the oldest makes room: one that is in earnest needs milliseconds
    const own = [...this.#strangers.values()].filter((stranger) => stranger.address === address);
    const tooMany = own.length >= this.#limits.perAddress ? own[0] : undefined;
    const oldest = this.#strangers.size >= this.#limits.total ? this.#mostFrequent() : undefined;
    const leaves = tooMany ?? oldest;
    if (leaves) {
      leaves.socket.destroy();
      this.#forget(keyOf(leaves.socket), leaves);
      this.note(
        `${leaves.address} holds too many connections without saying who it is: the oldest was closed`,
      );
    }
    const timer = setTimeout(() => {
      this.note(`${address} did not say who it is within ${this.#limits.timeoutMs / 1000} s: closed`);
      socket.destroy();
    }, this.#limits.timeoutMs);
    const stranger = { socket, address, timer };
    this.#strangers.set(key, stranger);
    socket.once('close', () => this.#forget(key, stranger));
    return true;
  }

  /** It is known who that is: it is no stranger any more. @param socket the accepted one, or the TLS socket over it */
  vouch(socket: Socket): void {
    const key = keyOf(socket);
    const stranger = this.#strangers.get(key);
    if (stranger) this.#forget(key, stranger);
  }

  /** Logs what was refused, unless too much was logged just now. */
  note(message: string): void {
    this.#log.note(message);
  }

  /** Ends all strangers. */
  close(): void {
    this.#log.close();
    for (const { socket } of this.#strangers.values()) socket.destroy();
  }

  #forget(key: string, stranger: Stranger): void {
    clearTimeout(stranger.timer);
    if (this.#strangers.get(key) === stranger) this.#strangers.delete(key);
  }

  /** The oldest one of the address that has the most. */
  #mostFrequent(): Stranger | undefined {
    const counts = new Map<string, number>();
    for (const { address } of this.#strangers.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
    const most = Math.max(...counts.values());
    return [...this.#strangers.values()].find(({ address }) => counts.get(address) === most);
  }

  #isPaced(address: string): boolean {
    const now = performance.now();
    const { perSecond } = this.#limits;
    const bucket = this.#buckets.get(address) ?? { tokens: perSecond, atMs: now };
    const tokens = Math.min(perSecond, bucket.tokens + ((now - bucket.atMs) / 1000) * perSecond);
    const isPaced = tokens >= 1;
    this.#buckets.delete(address); // it goes to the end of the map: the first is the one that was not seen for longest
    this.#buckets.set(address, { tokens: isPaced ? tokens - 1 : tokens, atMs: now });
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined && this.#buckets.size > MAX_BUCKETS) this.#buckets.delete(oldest);
    return isPaced;
  }
}

/** The same for an accepted socket and for the TLS socket over it. */
function keyOf({ remoteAddress, remotePort, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`;
}

/** IPv4 whole; of IPv6 the network, for a machine has as many addresses in it as it likes. */
function addressOf({ remoteAddress = 'an unknown address' }: Socket): string {
  const plain = remoteAddress.replace(/^::ffff:/, '');
  if (isIPv4(plain) || !plain.includes(':') || plain.startsWith('fe80:')) return plain;
  return plain.split(':').slice(0, 4).join(':');
}
