// A plan's stages as MLX's ranks: which rank each stage is, and how the ranks meet. Pure.
import { isIPv4 } from 'node:net';
import type { MachineFacts } from '../../protocol/facts.ts';
import type { HostPort } from '../../protocol/node.ts';
import type { Plan, PlannedStage } from '../../protocol/plan.ts';
import type { RankLaunch, RankPlace } from '../../protocol/ranks.ts';
import { jacclDevices, type RdmaFinding } from './jaccl.ts';

/** The stage that dials the one at `index`: on node-mlx the one before it. Rank r dials rank r + 1: the one after it. */
export function diallerOf({ engine, stages }: Plan, index: number): PlannedStage | undefined {
  return engine === 'mlx-distributed' ? stages[(index + 1) % stages.length] : stages.at(index - 1);
}

/** Rank 0 holds the last layers: the plan's stages, from behind. */
export function rankPlace({ stages, split = 'pipeline' }: Plan, index: number): RankPlace {
  const counts = stages.map(({ range }) => range.end - range.start).reverse();
  return {
    rank: stages.length - 1 - index,
    rankCount: stages.length,
    split,
    layerCounts: split === 'pipeline' ? counts : [],
  };
}

/** A stage that has loaded: where its rank listens, and what its machine is. */
export interface LoadedRank {
  name: string;
  hop: HostPort;
  machine?: MachineFacts | undefined;
  /** where the controller reaches the node, and so may the others */
  host: string;
}

/**
 * How the ranks meet: by RDMA where every pair has what it takes, otherwise by the ring over the measured addresses.
 * @param stages in the plan's order
 * @param mayUseRdma false after it has failed
 */
export function rankLaunch(stages: readonly LoadedRank[], mayUseRdma: boolean): RankLaunch {
  const ranks = [...stages].reverse();
  const { devices } = jacclDevices(ranks);
  const [first] = ranks;
  if (mayUseRdma && devices && first && isIPv4(plainHost(first.host))) {
    return { backend: 'jaccl', coordinator: `${plainHost(first.host)}:${first.hop.port}`, devices };
  }
  return { backend: 'ring', hosts: ranks.map(({ hop }) => [`${plainHost(hop.host)}:${hop.port}`]) };
}

/** A socket that takes both families tells an IPv4 address as `::ffff:10.0.0.1`; MLX takes the plain one. */
function plainHost(host: string): string {
  return host.replace(/^::ffff:/i, '');
}

/**
 * What keeps Macs from RDMA, for people: nothing where no machine has Thunderbolt, and nothing could be done about it.
 * @param stages in the plan's order
 */
export function rdmaFindings(stages: readonly LoadedRank[]): RdmaFinding[] {
  const isMac = ({ machine }: LoadedRank) => (machine?.thunderboltPorts.length ?? 0) > 0;
  return stages.length > 1 && stages.every(isMac) ? jacclDevices([...stages].reverse()).findings : [];
}
