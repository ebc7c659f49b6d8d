// The measurements that this node takes part in: carries out the controller's words on them, and closes everything that
// one of them opened at the latest after PROBE_TIMEOUT_MS. It knows nothing of stages.
import { networkInterfaces } from 'node:os';
import type { Logger } from 'pino';
import type { Credentials } from '../../protocol/identity.ts';
import { MAX_PROBES, PROBE_TIMEOUT_MS } from '../../protocol/limits.ts';
import type { ProbeCommand, ProbeEvent } from '../../protocol/probe.ts';
import { type CounterReader, readCounters } from './counters.ts';
import { measureAll, reachAll } from './dialer.ts';
import { isOffered, ProbeListener } from './listener.ts';

interface Running {
  listener: ProbeListener | undefined;
  readonly abort: AbortController;
  readonly timer: NodeJS.Timeout;
}

export class ProbeHost {
  readonly #host: string;
  readonly #credentials: Credentials;
  readonly #log: Logger;
  readonly #tell: (event: ProbeEvent) => void;
  readonly #readCounters: CounterReader;
  readonly #running = new Map<string, Running>();

  /**
   * @param host where the agent listens (--host): measurements listen nowhere else
   * @param credentials of this node
   */
  constructor(
    host: string,
    credentials: Credentials,
    log: Logger,
    tell: (event: ProbeEvent) => void,
    counters: CounterReader = readCounters,
  ) {
    this.#host = host;
    this.#credentials = credentials;
    this.#log = log;
    this.#tell = tell;
    this.#readCounters = counters;
  }

  handle(command: ProbeCommand): void {
    const { probeId } = command;
    if (command.kind === 'probe-stop') {
      this.#end(probeId);
      return;
    }
    const keys = { credentials: this.#credentials, peer: command.peer };
    const running = this.#enter(probeId);
    const { signal } = running.abort;
    // of a measurement that was stopped meanwhile nobody wants to hear
    const tell = (event: ProbeEvent) => {
      if (!signal.aborted) this.#tell(event);
    };
    switch (command.kind) {
      case 'probe-listen': {
        running.listener?.close();
        running.listener = new ProbeListener(command.token, keys, (message) => this.#log.warn(message));
        void running.listener
          .open(command.addresses, (address) => isOffered(this.#host, address))
          .then((ports) => tell({ kind: 'probe-listening', probeId, ports }));
        break;
      }
      case 'probe-reach':
        void reachAll(command.targets, command.token, keys, signal).then((tries) =>
          tell({ kind: 'probe-reached', probeId, tries }),
        );
        break;
      case 'probe-measure':
        void measureAll(command.targets, command.token, keys, signal, this.#readCounters, interfaceOf).then(
          (paths) => tell({ kind: 'probe-measured', probeId, paths }),
        );
        break;
    }
  }

  /** Ends all that run. */
  stop(): void {
    for (const probeId of [...this.#running.keys()]) this.#end(probeId);
  }

  #end(probeId: string): void {
    const running = this.#running.get(probeId);
    if (!running) return;
    this.#running.delete(probeId);
    clearTimeout(running.timer);
    running.abort.abort();
    running.listener?.close();
  }

  /** One too many ends the oldest: the controller never asks for so many at once, so that one is forgotten. */
  #enter(probeId: string): Running {
    const known = this.#running.get(probeId);
    if (known) return known;
    const [oldest] = this.#running.keys();
    if (oldest !== undefined && this.#running.size >= MAX_PROBES) this.#end(oldest);
    const timer = setTimeout(() => this.#end(probeId), PROBE_TIMEOUT_MS);
    timer.unref();
    const running = { listener: undefined, abort: new AbortController(), timer };
    this.#running.set(probeId, running);
    return running;
  }
}

/** The interface of one of this machine's own addresses. */
function interfaceOf(address: string): string | undefined {
  const [plain, zone] = address.split('%');
  if (zone !== undefined) return zone;
  return Object.entries(networkInterfaces()).find(([, entries]) =>
    entries?.some((entry) => entry.address === plain),
  )?.[0];
}
