// The nodes of the cluster as its model store needs them: who is there, how one reaches another, and how fast. It must not
// know what is fetched.
import { formatHostPort, type HostPort } from '../protocol/node.ts';
import type { StoreWay } from '../protocol/store.ts';
import type { Cluster } from './cluster/state.ts';
import { connectedNodes, nameOf } from './cluster/state.ts';
import type { StoreNodes } from './models/pull.ts';
import type { StoreAsks } from './models/store-asks.ts';
import type { Nodes } from './nodes.ts';

export type ClusterNodes = StoreNodes & { addressOf(nodeId: string): HostPort | undefined };

export function clusterNodes(
  cluster: Cluster,
  nodes: Nodes,
  asks: StoreAsks,
  whileFetching: StoreNodes['whileFetching'],
): ClusterNodes {
  const addressOf = (nodeId: string) => cluster.nodes.get(nodeId)?.address;
  const pathsOf = (from: string, to: string) =>
    cluster.hopPaths
      .filter((path) => path.from === from && path.to === to)
      .sort((a, b) => b.figures.gbps - a.figures.gbps);
  return {
    asks,
    whileFetching,
    connected: () => connectedNodes(cluster).map(({ facts: { id, name } }) => ({ id, name })),
    nameOf: (nodeId) => nameOf(cluster, nodeId),
    keyOf: (nodeId) => nodes.fingerprintOf(nodeId),
    addressOf,
    ways(reader, giver) {
      const address = addressOf(giver);
      if (!address) return [];
      const measured = pathsOf(reader, giver).map(
        ({ dialAddress, localAddress }): StoreWay => ({
          host: dialAddress,
          port: address.port,
          from: localAddress,
        }),
      );
      // last, the address that the controller itself uses
      const isThere = measured.some(
        ({ host }) => formatHostPort({ ...address, host }) === formatHostPort(address),
      );
      return isThere ? measured : [...measured, address];
    },
    // data goes against the direction in which it is asked for
    gbps: (giver, reader) =>
      pathsOf(giver, reader)[0]?.figures.gbps ?? pathsOf(reader, giver)[0]?.figures.gbps,
  };
}
