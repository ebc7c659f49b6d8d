// Nodes that somebody wants for something else: no plan uses them, and the stages that they have move to the others, as
// soon as no request is disturbed or at once. What the others cannot hold stays where it is, and that is said.
import { EspalierError } from '../../protocol/errors.ts';
import type { Plan } from '../../protocol/plan.ts';
import { deploy, deployAgain, isIdle, requestOver, usableNodes } from './deploying.ts';
import { type Cluster, type Deployment, type Effect, isServing, nameOf } from './state.ts';

export function drain(cluster: Cluster, { nodeId, now }: { nodeId: string; now: boolean }): Effect[] {
  cluster.drainNow ||= now;
  if (cluster.drained.has(nodeId) || !cluster.nodes.has(nodeId)) return [];
  cluster.drained.add(nodeId);
  const text = `${nameOf(cluster, nodeId)} is drained: no plan uses it until it is given back`;
  return [{ kind: 'event', level: 'info', text }];
}

export function undrain(cluster: Cluster, nodeId: string): Effect[] {
  if (!cluster.drained.delete(nodeId)) return [];
  const text = `${nameOf(cluster, nodeId)} is given back: the next plan may use it`;
  return [{ kind: 'event', level: 'info', text }];
}

/**
 * Moves the stages of drained nodes to others.
 * @returns what is to be done; undefined where no stage is on a drained node
 */
export function moveFromDrained(cluster: Cluster, deployment: Deployment, now: number): Effect[] | undefined {
  const leaving = deployment.plan.stages.filter(({ nodeId }) => cluster.drained.has(nodeId));
  if (leaving.length === 0) {
    cluster.drainNow = false;
    return undefined;
  }
  // requests that wait for files are not disturbed
  if (isServing(deployment) && !cluster.drainNow && !isIdle(cluster, now)) return [];
  const names = leaving.map(({ nodeId }) => nameOf(cluster, nodeId)).join(' and ');
  let plan: Plan | undefined;
  try {
    plan = planWithout(cluster, deployment, now);
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error;
    for (const { nodeId } of leaving) cluster.drained.delete(nodeId);
    cluster.drainNow = false;
    const text = `${names} cannot be drained: ${error.message}`;
    return [{ kind: 'event', level: 'warn', text, fix: error.solve }];
  }
  if (!plan) return [];
  cluster.drainNow = false;
  cluster.deployment = undefined;
  const suspended: Effect[] =
    cluster.requests > 0
      ? [{ kind: 'suspend-requests', why: `the stage on ${names} moves to another node`, crashed: false }]
      : [];
  return [...suspended, ...deploy(cluster, plan, now)];
}

/**
 * Files may be hours on their way: what served before is gone back to once it can be, and drained nodes are done without.
 */
export function leaveFetch(cluster: Cluster, deployment: Deployment, now: number): Effect[] {
  // what took the place of a plan that served well is better than that one
  const isMakeshift = cluster.lost !== undefined || !cluster.hasServed;
  const again = isMakeshift ? deployAgain(cluster, now) : undefined;
  if (again && !hasSamePlaces(again, deployment.plan)) {
    cluster.deployment = undefined;
    return deploy(cluster, again, now);
  }
  return moveFromDrained(cluster, deployment, now) ?? [];
}

function hasSamePlaces(one: Plan, other: Plan): boolean {
  const places = ({ stages }: Plan) =>
    stages.map(({ nodeId, range }) => `${nodeId} ${range.start}-${range.end}`).join();
  return places(one) === places(other);
}

/** @returns undefined while it is thought about. @throws EspalierError where the others cannot hold the model */
function planWithout(cluster: Cluster, deployment: Deployment, now: number): Plan | undefined {
  const usable = usableNodes(cluster, now);
  if (usable.length === 0) throw new EspalierError('not_enough_nodes', 'no other node is connected');
  return cluster.memo.plan(cluster.epoch, requestOver(cluster, usable), deployment.plan)?.plan;
}
