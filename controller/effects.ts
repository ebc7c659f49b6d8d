// Carries out what the cluster's heart decides, each effect by whoever can, and tells it what became of a deployment. It
// decides nothing.
import { asEspalierError, EspalierError } from '../protocol/errors.ts';
import type { Cluster, ClusterInput, Effect } from './cluster/state.ts';
import type { Deployer } from './deploy.ts';
import type { Incidents } from './incidents.ts';
import { NodeFault } from './models/node-fault.ts';
import type { Nodes } from './nodes.ts';
import type { Notices } from './notices.ts';
import type { Requests } from './requests.ts';
import type { DeploymentStore } from './saved-deployment.ts';

export interface EffectsDeps {
  cluster: Cluster;
  /** tells the heart */
  take(input: ClusterInput): void;
  requests: Requests;
  nodes: Pick<Nodes, 'send'>;
  deployer: Deployer;
  incidents: Incidents;
  deployments: DeploymentStore;
  notices: Notices;
}

export class Effects {
  readonly #deps: EffectsDeps;
  /** the incidents that the last interruption had */
  #overcome: readonly number[] = [];

  constructor(deps: EffectsDeps) {
    this.#deps = deps;
  }

  carryOut(effect: Effect): void {
    const { requests, nodes, deployer, incidents, deployments, notices } = this.#deps;
    switch (effect.kind) {
      case 'deploy':
        void this.#deploy(effect);
        break;
      case 'link':
        deployer.link(effect.nodeId, effect);
        break;
      case 'leave':
        nodes.send(effect.nodeId, { kind: 'leave', epoch: effect.epoch });
        break;
      case 'install-engine':
        deployer.installEngine(effect.nodeId);
        break;
      case 'draft-deploy':
        deployer.deployDraft(effect);
        break;
      case 'draft-end':
        nodes.send(effect.nodeId, { kind: 'draft-end' });
        break;
      case 'draft-link':
        deployer.linkDraft(effect);
        break;
      case 'undeploy':
        deployer.undeploy(effect.epoch, effect.nodeId);
        break;
      case 'fail-requests':
        requests.failAll(new EspalierError(effect.code, effect.message));
        break;
      case 'suspend-requests':
        requests.suspendAll(effect.why, effect.crashed);
        break;
      case 'crash-told':
        requests.noteCrash(effect.why);
        break;
      case 'resume-requests':
        requests.resumeAll((replayMs) => incidents.resumed(this.#overcome, replayMs));
        break;
      case 'incident':
        incidents.begin(effect.report);
        break;
      case 'incident-over':
        // what cost no stream a pause says nothing of how long one took
        if (effect.outcome.planMs !== undefined) this.#overcome = effect.outcome.numbers;
        incidents.end(effect.outcome);
        break;
      case 'save':
        void deployments.save(effect.deployment);
        break;
      case 'event':
        notices.note(effect.level, effect.text, effect.fix);
        break;
    }
  }

  async #deploy({ epoch, plan, hopHosts }: Effect & { kind: 'deploy' }): Promise<void> {
    const { cluster, take, deployer } = this.#deps;
    // what is told of it comes after the other effects that it is one of
    await Promise.resolve();
    try {
      await deployer.deploy(epoch, plan, hopHosts, {
        isWanted: () => cluster.deployment?.epoch === epoch,
        onFetching: () => take({ kind: 'fetching', epoch }),
        onFetched: () => take({ kind: 'fetched', epoch }),
      });
    } catch (error) {
      const { code, message } = asEspalierError(error);
      const nodeId = error instanceof NodeFault ? error.nodeId : undefined;
      take({ kind: 'deploy-failed', epoch, nodeId, code, message });
    }
  }
}
