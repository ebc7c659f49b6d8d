// Finds agents: by Bonjour, asking again and again because the browser itself asks once, and by a list of addresses for
// networks that drop multicast. It only suggests where a node may be; who it is, the node says on the connection.
import type { Browser, Service } from 'bonjour-service';
import type { Logger } from 'pino';
import { MAX_ADVERTS } from '../protocol/limits.ts';
import { multicastInterfaces, openBonjour } from '../protocol/multicast.ts';
import { formatHostPort, type HostPort, SERVICE_TYPE } from '../protocol/node.ts';
import { Adverts, type Candidate } from './adverts.ts';

const QUERY_MS = 1_500;
/** Listed addresses are a fallback: Bonjour has this long to find the nodes first. */
const FALLBACK_MS = 2_000;
/** Without any answer by multicast for this long, the user is told. */
const SILENCE_MS = 5_000;

export interface DiscoveryListener {
  /** told again and again while the candidate is seen */
  onCandidate(candidate: Candidate): void;
  onFinding(text: string, fix: string): void;
}

export interface DiscoveryOptions {
  /** agents of other clusters are passed over */
  cluster: string;
  /** the IPv4 address of the only interface to ask on; undefined for all */
  bonjourInterface: string | undefined;
  addresses: HostPort[];
}

export interface Discovery {
  stop(): void;
}

export function discover(options: DiscoveryOptions, listener: DiscoveryListener, log: Logger): Discovery {
  const browsers = new Map<string, { browser: Browser; destroy(): void }>();
  const adverts = new Adverts(options.cluster, (text, fix) => listener.onFinding(text, fix));
  const take = (service: Service) => {
    const candidate = adverts.read(service);
    if (candidate) listener.onCandidate(candidate);
  };
  const browse = (address: string) => {
    const bonjour = openBonjour(address, (error) => log.warn({ address, error: error.message }, 'Bonjour'));
    const browser = bonjour.find({ type: SERVICE_TYPE });
    browser.on('up', take);
    browser.on('txt-update', take);
    browsers.set(address, { browser, destroy: () => bonjour.destroy() });
  };
  const refresh = () => {
    const wanted = multicastInterfaces(options.bonjourInterface);
    for (const [address, entry] of browsers) {
      // one that holds too much was lied to: it is begun anew
      if (wanted.includes(address) && entry.browser.services.length <= MAX_ADVERTS) continue;
      entry.destroy();
      browsers.delete(address);
    }
    for (const address of wanted) if (!browsers.has(address)) browse(address);
    for (const { browser } of browsers.values()) {
      browser.update();
      for (const service of browser.services) take(service);
    }
  };
  const suggestAddresses = () => {
    for (const address of options.addresses) {
      const text = formatHostPort(address);
      listener.onCandidate({ key: text, nodeId: undefined, foundBy: 'address', addresses: [address] });
    }
  };
  const complain = () => {
    if (adverts.hasHeard) return;
    const fix =
      'Name the nodes: `--agent host:port`. Access points and firewalls often drop multicast (UDP 5353).';
    listener.onFinding(
      `no multicast seen from a node of cluster "${options.cluster}" in ${SILENCE_MS / 1000} s`,
      fix,
    );
  };

  refresh();
  const timers = [setInterval(refresh, QUERY_MS), setTimeout(complain, SILENCE_MS)];
  const fallback = setTimeout(() => {
    suggestAddresses();
    timers.push(setInterval(suggestAddresses, QUERY_MS));
  }, FALLBACK_MS);
  return {
    stop() {
      clearTimeout(fallback);
      for (const timer of timers) clearTimeout(timer);
      for (const { destroy } of browsers.values()) destroy();
    },
  };
}
