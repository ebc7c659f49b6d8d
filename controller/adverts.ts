// What Bonjour hears, read as places where nodes of this cluster may be. Anybody on the network may say anything, so what is
// remembered of it is little. It must not know sockets.
import type { Service } from 'bonjour-service';
import { ERRORS } from '../protocol/errors.ts';
import { MAX_ADVERTISED_ADDRESSES, MAX_STRANGE_ADVERTS } from '../protocol/limits.ts';
import { type HostPort, NodeAdvert } from '../protocol/node.ts';
import { printable } from '../protocol/printable.ts';
import { PROTOCOL_VERSION, versionMismatch } from '../protocol/version.ts';

/** A place where a node may be reached; the first address that answers is taken. */
export interface Candidate {
  /** equal for the same start of the same agent */
  key: string;
  /** unknown for a listed address */
  nodeId: string | undefined;
  foundBy: 'bonjour' | 'address';
  addresses: HostPort[];
}

/** What of a service is read. */
export type Advert = Pick<Service, 'name' | 'port' | 'txt' | 'addresses' | 'referer'>;

export class Adverts {
  readonly #cluster: string;
  readonly #onFinding: (text: string, fix: string) => void;
  /** nodes of another version that were told of, the newest last */
  readonly #strange = new Set<string>();
  #hasHeard = false;

  /** @param cluster agents of others are passed over */
  constructor(cluster: string, onFinding: (text: string, fix: string) => void) {
    this.#cluster = cluster;
    this.#onFinding = onFinding;
  }

  /** Whether anything of this cluster was heard. */
  get hasHeard(): boolean {
    return this.#hasHeard;
  }

  /** Where the node may be; undefined where it is none of this cluster, or speaks another protocol, which is told once. */
  read({ name, port, txt, addresses = [], referer }: Advert): Candidate | undefined {
    const advert = NodeAdvert.safeParse(txt);
    if (!advert.success || advert.data.cluster !== this.#cluster) return undefined;
    const { id, boot, protocol } = advert.data;
    this.#hasHeard = true;
    const mismatch = versionMismatch(
      { who: 'this controller', protocol: PROTOCOL_VERSION },
      { who: `node ${printable(name)}`, protocol },
    );
    if (mismatch !== undefined) {
      // here, and not when it is dialled: before protocol 4 there was no TLS, and two that do not share it cannot say why
      this.#tellOnce(`${id}/${boot}`, mismatch);
      return undefined;
    }
    const hosts = new Set([referer?.address, ...addresses].filter((host) => host !== undefined));
    // link-local IPv6 addresses come without their zone and cannot be dialled
    const places = [...hosts].filter((host) => !host.startsWith('fe80:')).map((host) => ({ host, port }));
    const key = `${id}/${boot}`;
    return { key, nodeId: id, foundBy: 'bonjour', addresses: places.slice(0, MAX_ADVERTISED_ADDRESSES) };
  }

  #tellOnce(key: string, mismatch: string): void {
    if (!this.#strange.has(key)) this.#onFinding(mismatch, ERRORS.protocol_version.solve);
    this.#strange.delete(key);
    this.#strange.add(key);
    const [oldest] = this.#strange;
    if (oldest !== undefined && this.#strange.size > MAX_STRANGE_ADVERTS) this.#strange.delete(oldest);
  }
}
