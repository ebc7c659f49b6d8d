// Finds agents: by Bonjour, asking again and again because the browser itself asks once, and by a list of addresses for
// networks that drop multicast. It only suggests where a node may be; who it is, the node says on the connection.
import type { Browser, Service } from 'bonjour-service';
import type { Logger } from 'pino';
import { ERRORS } from '../protocol/errors.ts';
import { multicastInterfaces, openBonjour } from '../protocol/multicast.ts';
import { formatHostPort, type HostPort, NodeAdvert, SERVICE_TYPE } from '../protocol/node.ts';
import { PROTOCOL_VERSION, versionMismatch } from '../protocol/version.ts';

const QUERY_MS = 1_500;
/** Listed addresses are a fallback: Bonjour has this long to find the nodes first. */
const FALLBACK_MS = 2_000;
/** Without any answer by multicast for this long, the user is told. */
const SILENCE_MS = 5_000;

/** A place where a node may be reached; the first address that answers is taken. */
export interface Candidate {
  /** equal for the same start of the same agent */
  key: string;
  /** unknown for a listed address */
  nodeId: string | undefined;
  foundBy: 'bonjour' | 'address';
  addresses: HostPort[];
}

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
  const strange = new Set<string>();
  let heard = false;

  const take = (service: Service) => {
    const advert = NodeAdvert.safeParse(service.txt);
    if (!advert.success) return;
    const { id, boot, protocol, cluster } = advert.data;
    if (cluster !== options.cluster) return;
    heard = true;
    const mismatch = versionMismatch(
      { who: 'this controller', protocol: PROTOCOL_VERSION },
      { who: `node ${service.name}`, protocol },
    );
    if (mismatch !== undefined) {
      // said once, and here: before protocol 4 there was no TLS, and two that do not share it cannot say why
      if (!strange.has(id + boot)) listener.onFinding(mismatch, ERRORS.protocol_version.solve);
      strange.add(id + boot);
      return;
    }
    const hosts = new Set(
      [service.referer?.address, ...(service.addresses ?? [])].filter((host) => host !== undefined),
    );
    // link-local IPv6 addresses come without their zone and cannot be dialled
    const addresses = [...hosts]
      .filter((host) => !host.startsWith('fe80:'))
      .map((host) => ({ host, port: service.port }));
    listener.onCandidate({ key: `${id}/${boot}`, nodeId: id, foundBy: 'bonjour', addresses });
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
      if (wanted.includes(address)) continue;
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
    if (heard) return;
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
