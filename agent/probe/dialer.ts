// The dialling end of a measurement: connects from one of this node's addresses to one of another's, under TLS as hops do,
// and measures round trips and a burst. Everything ends at a deadline; what went wrong is an outcome, never a throw.
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import {
  MAX_PROBE_BURST_BYTES,
  PROBE_BURST_MS,
  PROBE_BURSTS,
  PROBE_CONNECT_TIMEOUT_MS,
  PROBE_FIGURES_TIMEOUT_MS,
  PROBE_ROUND_TRIPS,
  PROBE_ROUND_TRIPS_MS,
} from '../../protocol/limits.ts';
import type {
  ProbeFigures,
  ProbeMeasured,
  ProbeOutcome,
  ProbeTarget,
  ProbeTry,
  RoundTrips,
} from '../../protocol/probe.ts';
import { dialTls, NoTls } from '../../protocol/tls.ts';
import { type CounterReader, carrierOf } from './counters.ts';
import type { ProbeKeys } from './listener.ts';
import {
  MAX_PROBE_PAYLOAD_BYTES,
  type ProbeFrame,
  type ProbeFrameKind,
  ProbeFrameReader,
  probeFrame,
  probeGreeting,
} from './wire.ts';

const SMALL_BYTES = 4;
/** R1's hidden state of one token in 16 bits: 7,168 × 2. */
const HIDDEN_BYTES = 14_336;
const CHUNK = probeFrame('data', MAX_PROBE_PAYLOAD_BYTES);

/** Tries all targets at once. */
export function reachAll(
  targets: readonly ProbeTarget[],
  token: string,
  keys: ProbeKeys,
  signal: AbortSignal,
  timeoutMs = PROBE_CONNECT_TIMEOUT_MS,
): Promise<ProbeTry[]> {
  return Promise.all(
    targets.map(async (target): Promise<ProbeTry> => {
      const { from, to } = target;
      const connection = await ProbeConnection.open(target, token, keys, signal, timeoutMs);
      if (!(connection instanceof ProbeConnection)) return { from, to, ...connection };
      connection.close();
      return { from, to, outcome: 'reached', code: null };
    }),
  );
}

/**
 * Measures the targets one after the other, so that none takes another's room.
 * @param interfaceOf which of this node's interfaces has an address
 */
export async function measureAll(
  targets: readonly ProbeTarget[],
  token: string,
  keys: ProbeKeys,
  signal: AbortSignal,
  readCounters: CounterReader,
  interfaceOf: (address: string) => string | undefined,
): Promise<ProbeMeasured[]> {
  const paths: ProbeMeasured[] = [];
  for (const target of targets) {
    const { from, to } = target;
    const within = AbortSignal.any([signal, AbortSignal.timeout(PROBE_FIGURES_TIMEOUT_MS)]);
    const connection = await ProbeConnection.open(target, token, keys, within, PROBE_CONNECT_TIMEOUT_MS);
    if (!(connection instanceof ProbeConnection)) {
      paths.push({ from, to, outcome: connection.outcome, figures: null });
      continue;
    }
    try {
      const figures = await measure(connection, readCounters, interfaceOf(from));
      paths.push({ from, to, outcome: 'reached', figures });
    } catch {
      paths.push({ from, to, outcome: within.aborted ? 'timed-out' : 'failed', figures: null });
    } finally {
      connection.close();
    }
  }
  return paths;
}

async function measure(
  connection: ProbeConnection,
  readCounters: CounterReader,
  expected: string | undefined,
): Promise<ProbeFigures> {
  const smallUs = await connection.roundTripsUs(SMALL_BYTES);
  const hiddenUs = await connection.roundTripsUs(HIDDEN_BYTES);
  // the median may have waited for a processor, which the burst then does not wait for
  const roundTripUs = smallUs[0] ?? 0;
  const before = await readCounters();
  let burst = await connection.burst(roundTripUs);
  let bytes = burst.bytes;
  for (let i = 1; i < PROBE_BURSTS; i++) {
    const next = await connection.burst(roundTripUs);
    bytes += next.bytes;
    if (next.gbps > burst.gbps) burst = next;
  }
  const after = await readCounters();
  return {
    small: summary(smallUs),
    hidden: summary(hiddenUs),
    burst,
    carriedBy: carrierOf(before, after, bytes, expected),
  };
}

interface Unreached {
  outcome: ProbeOutcome;
  code: string | null;
}

class ProbeConnection {
  readonly #socket: TLSSocket;
  readonly #reader = new ProbeFrameReader();
  #awaited: PromiseWithResolvers<ProbeFrame> | undefined;
  #awaitedKind: ProbeFrameKind = 'ready';

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('close', () => this.#awaited?.reject(new Error('the other side closed it')));
  }

  /** Connects, looks at the other side's key, and waits until it has accepted the token. */
  static async open(
    { from, to, port }: ProbeTarget,
    token: string,
    { credentials, peer }: ProbeKeys,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<ProbeConnection | Unreached> {
    const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    if (within.aborted) return { outcome: 'timed-out', code: null };
    let socket: TLSSocket;
    try {
      const dialled = await dialTls({ host: to, port }, credentials, { timeoutMs, from, signal: within });
      socket = dialled.socket;
      if (dialled.fingerprint !== peer) {
        socket.destroy();
        return { outcome: 'stranger', code: null };
      }
    } catch (error) {
      if (within.aborted) return { outcome: 'timed-out', code: null };
      return isStranger(error) ? { outcome: 'stranger', code: null } : outcomeOf(error);
    }
    // a signal of its own: many listeners on one look like a leak
    AbortSignal.any([signal]).addEventListener('abort', () => socket.destroy(), { once: true });
    const connection = new ProbeConnection(socket);
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    try {
      await connection.#ask(probeGreeting(token), 'ready');
      return connection;
    } catch {
      connection.close();
      return { outcome: 'stranger', code: null };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Payloads there and back, one at a time: the times in microseconds, ascending. */
  async roundTripsUs(payloadBytes: number): Promise<number[]> {
    const ping = probeFrame('ping', payloadBytes);
    const timesUs: number[] = [];
    const end = performance.now() + PROBE_ROUND_TRIPS_MS;
    await this.#ask(ping, 'pong'); // the first one finds buffers and code cold
    do {
      const sentAt = performance.now();
      await this.#ask(ping, 'pong');
      timesUs.push((performance.now() - sentAt) * 1000);
    } while (timesUs.length < PROBE_ROUND_TRIPS && performance.now() < end);
    return timesUs.sort((a, b) => a - b);
  }

  /**
   * As much as goes through, for PROBE_BURST_MS or MAX_PROBE_BURST_BYTES. The time is that from the first byte to the word
   * that all have arrived, less a round trip: what a receiver that was held up finds in its buffers came no faster.
   * @param roundTripUs the fastest of a few bytes
   */
  async burst(roundTripUs: number): Promise<ProbeFigures['burst']> {
    const beganAt = performance.now();
    for (let sent = 0; sent < MAX_PROBE_BURST_BYTES; sent += MAX_PROBE_PAYLOAD_BYTES) {
      if (performance.now() - beganAt > PROBE_BURST_MS) break;
      if (!this.#socket.write(CHUNK)) await this.#drained();
    }
    const { count } = await this.#ask(probeFrame('end'), 'received');
    const wholeUs = (performance.now() - beganAt) * 1000;
    const elapsedUs = Math.max(wholeUs - roundTripUs, wholeUs / 2);
    const bytes = Math.min(count, MAX_PROBE_BURST_BYTES);
    // bits per microsecond are megabits per second
    return { bytes, elapsedUs, gbps: Math.min((bytes * 8) / elapsedUs / 1000, 10_000) };
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Rejects when the socket goes; the deadline is the signal's, which destroys it. */
  #ask(what: Buffer, kind: ProbeFrameKind): Promise<ProbeFrame> {
    const awaited = Promise.withResolvers<ProbeFrame>();
    this.#awaited = awaited;
    this.#awaitedKind = kind;
    if (this.#socket.destroyed) awaited.reject(new Error('the connection is gone'));
    else this.#socket.write(what);
    return awaited.promise;
  }

  async #drained(): Promise<void> {
    const gone = new AbortController();
    const leave = () => gone.abort();
    this.#socket.once('close', leave);
    try {
      await once(this.#socket, 'drain', { signal: gone.signal });
    } finally {
      this.#socket.off('close', leave);
    }
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (frame.kind !== this.#awaitedKind) throw new RangeError(`${frame.kind} came unasked`);
        this.#awaited?.resolve(frame);
      }
    } catch {
      this.#socket.destroy();
    }
  }
}

/** Whether somebody listens there, and is not who should. */
function isStranger(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return error instanceof NoTls || code === undefined || code === 'ECONNRESET';
}

function outcomeOf(error: unknown): Unreached {
  const { code = null } = error as { code?: string | null };
  return { outcome: OUTCOMES[code ?? ''] ?? 'failed', code: code?.slice(0, 40) ?? null };
}

const OUTCOMES: Readonly<Record<string, ProbeOutcome>> = {
  ECONNREFUSED: 'refused',
  ETIMEDOUT: 'timed-out',
  EHOSTDOWN: 'timed-out',
  EHOSTUNREACH: 'no-route',
  ENETUNREACH: 'no-route',
  EADDRNOTAVAIL: 'address-gone',
  EINVAL: 'address-gone',
};

function summary(sortedUs: readonly number[]): RoundTrips {
  return { count: sortedUs.length, p50Us: percentile(sortedUs, 0.5), p99Us: percentile(sortedUs, 0.99) };
}

/** Nearest rank. @param sorted ascending, not empty */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}
