// Another model takes the place of the one that is deployed: its stages end, and the next plan is for the new one. Requests
// that come meanwhile wait for it, where the cluster has served before.
import type { ModelCard, Plan } from '../../protocol/plan.ts';
import { forgetLosses } from './draft-state.ts';
import type { Cluster, Effect } from './state.ts';

/** From now on the cluster's model is this one. What still runs of the old one fails: whoever asks for this has waited. */
export function modelChosen(
  cluster: Cluster,
  {
    card,
    modelFingerprint,
    plan,
    guessYield,
  }: { card: ModelCard; modelFingerprint: string; plan: Plan; guessYield?: number | undefined },
  now: number,
): Effect[] {
  const text = `${card.id} takes the place of ${cluster.card.id}`;
  const effects: Effect[] = [{ kind: 'event', level: 'info', text }, ...forgetLosses(cluster.draft, text)];
  if (cluster.requests > 0) {
    const message = `${cluster.card.id} was replaced by ${card.id} while this request ran`;
    effects.push({ kind: 'fail-requests', code: 'not_ready', message });
  }
  const { held, mayHold } = cluster;
  for (const nodeId of new Set([...held.keys(), ...mayHold])) {
    if (!cluster.nodes.get(nodeId)?.connected) continue;
    effects.push({ kind: 'undeploy', epoch: Math.max(cluster.epoch, held.get(nodeId)?.epoch ?? 0), nodeId });
    mayHold.delete(nodeId);
  }
  held.clear();
  cluster.card = card;
  cluster.modelFingerprint = modelFingerprint;
  // how many guesses are right is the model's, not its user's
  cluster.planning = { ...cluster.planning, guessYield };
  cluster.deployment = undefined;
  // as after a loss: deployed where its nodes are there, and otherwise kept to where that costs little
  cluster.previous = { epoch: cluster.epoch, plan };
  cluster.reason = undefined;
  cluster.failure = undefined;
  cluster.failures = 0;
  cluster.planNotBefore = 0;
  // nothing went wrong, but it is to be deployed again at once, and requests wait for that
  cluster.lost = cluster.hasServed ? { at: now, incidents: cluster.lost?.incidents ?? [] } : undefined;
  return effects;
}
