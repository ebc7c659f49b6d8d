// `espalier doctor` for this cluster: every node checks itself when it is asked, and all of them are looked at together.
import type { DoctorReport } from '../protocol/doctor.ts';
import { checkCluster } from './checks/cluster-check.ts';
import { CheckCollector } from './checks/collector.ts';
import type { Cluster } from './cluster/state.ts';
import type { Links } from './links/links.ts';
import type { Pairing } from './trust/pairing.ts';

export class Doctor {
  readonly checks: CheckCollector;
  readonly #cluster: Cluster;
  readonly #pairing: Pairing;
  readonly #links: Pick<Links, 'findings'>;

  /** @param ask tells a node to check itself */
  constructor(
    cluster: Cluster,
    pairing: Pairing,
    links: Pick<Links, 'findings'>,
    ask: (nodeId: string) => void,
  ) {
    this.#cluster = cluster;
    this.#pairing = pairing;
    this.#links = links;
    this.checks = new CheckCollector(ask);
  }

  report(): Promise<DoctorReport> {
    return checkCluster(this.checks, () => ({
      nodes: [...this.#cluster.nodes.values()].map(({ facts, connected }) => {
        return { id: facts.id, name: facts.name, isConnected: connected };
      }),
      // what was seen of a node before it was paired may still be there
      waiting: this.#pairing
        .report()
        .waiting.filter(({ id }) => !this.#cluster.nodes.get(id)?.connected)
        .map(({ name }) => name),
      linkFindings: this.#links.findings,
    }));
  }
}
