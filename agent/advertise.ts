// Tells the local network that this node is here: identity only, never state. Addresses are frozen when published, so
// a change of the machine's interfaces publishes anew.
import type { Logger } from 'pino';
import { multicastInterfaces, openBonjour } from '../protocol/multicast.ts';
import { type NodeFacts, SERVICE_TYPE } from '../protocol/node.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';

const REFRESH_MS = 5_000;

export interface Advertisement {
  /** the record changes: it is published anew */
  update(isPaired: boolean): void;
  stop(): Promise<void>;
}

type Published = { interfaceAddress: string; end(): Promise<void> };

/** @param chosen the IPv4 address of the only interface to use; undefined for all */
export function advertise(
  node: NodeFacts,
  cluster: string,
  port: number,
  isPaired: boolean,
  chosen: string | undefined,
  log: Logger,
): Advertisement {
  let published: Published[] = [];
  let paired = isPaired;
  let isStopped = false;
  const record = () => ({
    id: node.id,
    boot: node.bootId,
    protocol: String(PROTOCOL_VERSION),
    cluster,
    paired: paired ? '1' : '0',
  });
  const refresh = (): void => {
    const wanted = multicastInterfaces(chosen);
    if (wanted.join() === published.map((entry) => entry.interfaceAddress).join()) return;
    for (const entry of published) void entry.end();
    published = wanted.map((address) => publish(address, node, record(), port, log));
    log.info(
      { interfaces: wanted },
      wanted.length > 0 ? 'advertised by Bonjour' : 'no network interface to advertise on',
    );
  };
  refresh();
  const timer = setInterval(refresh, REFRESH_MS);
  return {
    update(isPairedNow) {
      if (isStopped || paired === isPairedNow) return;
      paired = isPairedNow;
      const before = published;
      published = [];
      // a goodbye that comes after the new word would take that back
      void Promise.all(before.map((entry) => entry.end())).then(() => {
        if (!isStopped) refresh();
      });
    },
    async stop() {
      isStopped = true;
      clearInterval(timer);
      await Promise.all(published.map((entry) => entry.end()));
    },
  };
}

/** A DNS label holds 63 bytes; nine are for the dash and the id. */
function labelOf(name: string): string {
  let label = name;
  while (Buffer.byteLength(label) > 54) label = [...label].slice(0, -1).join('');
  return label;
}

function publish(
  interfaceAddress: string,
  node: NodeFacts,
  txt: Record<string, string>,
  port: number,
  log: Logger,
): Published {
  const bonjour = openBonjour(interfaceAddress, (error) =>
    log.warn({ interfaceAddress, error: error.message }, 'Bonjour'),
  );
  bonjour.publish({
    // unique, so that nothing needs to be probed: a conflict would knock the other service down
    name: `${labelOf(node.name)}-${node.id.slice(0, 8)}`,
    type: SERVICE_TYPE,
    port,
    txt,
    probe: false,
  });
  return {
    interfaceAddress,
    end: () =>
      new Promise((resolve) => {
        // the goodbye is a courtesy: never wait long for it
        const timer = setTimeout(resolve, 200);
        bonjour.unpublishAll(() =>
          bonjour.destroy(() => {
            clearTimeout(timer);
            resolve();
          }),
        );
      }),
  };
}
