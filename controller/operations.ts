// What an operator may do to a cluster: drain nodes, end requests, let nodes in and let them go. It must not know HTTP.
import { EspalierError } from '../protocol/errors.ts';
import type { OperationAnswer } from '../protocol/operations.ts';
import type { PairedAnswer } from '../protocol/pairing.ts';
import type { Cluster, ClusterInput } from './cluster/state.ts';
import type { Nodes } from './nodes.ts';
import type { Requests } from './requests.ts';
import type { Pairing } from './trust/pairing.ts';

export interface OperationsDeps {
  cluster: Cluster;
  /** tells the heart */
  take(input: ClusterInput): void;
  requests: Pick<Requests, 'cancel'>;
  pairing: Pairing;
  nodes: Pick<Nodes, 'dismiss'>;
  /** tells people */
  note(text: string): void;
}

export class Operations {
  readonly #deps: OperationsDeps;

  constructor(deps: OperationsDeps) {
    this.#deps = deps;
  }

  /**
   * That the others cannot hold the model may take a moment to be known: then it is an event.
   * @throws EspalierError not_found for a node that is not known; not_enough_nodes where that is known at once
   */
  drain(nodeId: string, now: boolean): OperationAnswer {
    const name = this.#knownNode(nodeId);
    const { take, cluster } = this.#deps;
    take({ kind: 'drain', nodeId, now });
    if (!cluster.drained.has(nodeId)) {
      const why = 'the others cannot hold the model';
      throw new EspalierError('not_enough_nodes', `${name} cannot be drained: ${why}`);
    }
    const when = now ? 'now' : 'when no request has run for a moment';
    return { text: `${name} takes no place in the next plan; a stage that it has moves ${when}` };
  }

  /** @throws EspalierError not_found for a node that is not known */
  undrain(nodeId: string): OperationAnswer {
    const name = this.#knownNode(nodeId);
    this.#deps.take({ kind: 'undrain', nodeId });
    return { text: `${name} may be used again` };
  }

  /** @throws EspalierError not_found for a request that is over or never was */
  cancel(requestId: string): OperationAnswer {
    if (this.#deps.requests.cancel(requestId)) return { text: 'the request is cancelled' };
    throw new EspalierError('not_found', `There is no request ${requestId.slice(0, 100)}: it may be over.`);
  }

  /** @throws EspalierError as `Pairing.pairByCode` does */
  async pair(node: string, code: string): Promise<PairedAnswer> {
    return { node: await this.#deps.pairing.pairByCode(node, code) };
  }

  /**
   * Lets a node go: it is forgotten first, so that nothing of it is heard any more, then told.
   * @throws EspalierError as `Pairing.unpair` does
   */
  unpair(nameOrId: string): PairedAnswer {
    const { pairing, nodes, take, note } = this.#deps;
    let forgotten = { id: '', name: '' };
    pairing.unpair(nameOrId, (node) => {
      forgotten = node;
      note(`${node.name} is unpaired`);
      nodes.dismiss(node.id, 'it was unpaired', { kind: 'unpair' });
      take({ kind: 'node-forgotten', nodeId: node.id });
    });
    return { node: forgotten };
  }

  /** @returns its name */
  #knownNode(nodeId: string): string {
    const node = this.#deps.cluster.nodes.get(nodeId);
    if (node) return node.facts.name;
    throw new EspalierError('not_found', `There is no node ${nodeId.slice(0, 100)} in this cluster.`);
  }
}
