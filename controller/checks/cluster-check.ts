// The answer to `espalier doctor` for a whole cluster: every node is asked, then the answers are looked at together. It knows
// no HTTP and no sockets.
import type { DoctorReport } from '../../protocol/doctor.ts';
import type { LinkFinding } from '../../protocol/links.ts';
import { ESPALIER_VERSION, PROTOCOL_VERSION } from '../../protocol/version.ts';
import { clusterFindings } from './cluster-findings.ts';
import type { CheckCollector } from './collector.ts';

export interface CheckedCluster {
  nodes: readonly { id: string; name: string; isConnected: boolean }[];
  waiting: readonly string[];
  linkFindings: readonly LinkFinding[];
}

/** @param cluster is asked again when the answers are there: a node may have gone meanwhile */
export async function checkCluster(
  collector: CheckCollector,
  cluster: () => CheckedCluster,
): Promise<DoctorReport> {
  const connected = cluster().nodes.filter(({ isConnected }) => isConnected);
  const checks = await collector.collect(connected.map(({ id }) => id));
  const own = { espalierVersion: ESPALIER_VERSION, nodeVersion: process.versions.node };
  return {
    at: Date.now(),
    ...own,
    protocol: PROTOCOL_VERSION,
    // by the names that the controller knows them by, and in its order
    nodes: connected.flatMap(({ id, name }) => {
      const check = checks.get(id)?.check;
      return check ? [{ ...check, id, name }] : [];
    }),
    findings: clusterFindings({ ...cluster(), checks, own }),
  };
}
