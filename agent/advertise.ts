// Tells the local network that this node is here: identity only, never state. Addresses are frozen when published, so
// a change of the machine's interfaces publishes anew.
import type { Logger } from 'pino';
import { multicastInterfaces, openBonjour } from '../protocol/multicast.ts';
import { type NodeFacts, SERVICE_TYPE } from '../protocol/node.ts';
import { PROTOCOL_VERSION } from '../protocol/version.ts';

const REFRESH_MS = 5_000;

export interface Advertisement {
  stop(): Promise<void>;
}

type Published = { interfaceAddress: string; end(): Promise<void> };

/** @param chosen the IPv4 address of the only interface to use; undefined for all */
export function advertise(
  node: NodeFacts,
  cluster: string,
  port: number,
  chosen: string | undefined,
  log: Logger,
): Advertisement {
  let published: Published[] = [];
  const refresh = () => {
    const wanted = multicastInterfaces(chosen);
    if (wanted.join() === published.map((entry) => entry.interfaceAddress).join()) return;
    for (const entry of published) void entry.end();
    published = wanted.map((address) => publish(address, node, cluster, port, log));
    log.info(
      { interfaces: wanted },
      wanted.length > 0 ? 'advertised by Bonjour' : 'no network interface to advertise on',
    );
  };
  refresh();
  const timer = setInterval(refresh, REFRESH_MS);
  return {
    async stop() {
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
  cluster: string,
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
    txt: { id: node.id, boot: node.bootId, protocol: String(PROTOCOL_VERSION), cluster },
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
