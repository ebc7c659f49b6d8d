// The plan that a model would get on the nodes that are connected now, from what the controller tells of them in public. Pure.
import { plannerNode } from '../../controller/planner/from-facts.ts';
import type { NodeLink, PlanRequest } from '../../controller/planner/inputs.ts';
import { UNKNOWN_LINK } from '../../controller/planner/links.ts';
import { findPlan, noPlan } from '../../controller/planner/planner.ts';
import { planReport } from '../../controller/planner/report.ts';
import type { LinkPath, LinksReport } from '../../protocol/links.ts';
import { DEFAULT_PLANNING, type Link, type ModelCard } from '../../protocol/plan.ts';
import type { PlanReport } from '../../protocol/plan-report.ts';
import type { NodeStatus } from '../../protocol/status.ts';

/** @throws EspalierError not_enough_nodes with what is missing */
export function predictPlan(card: ModelCard, nodes: readonly NodeStatus[], links: LinksReport): PlanReport {
  const connected = nodes.filter(({ state }) => state === 'connected');
  const request: PlanRequest = {
    card,
    nodes: connected.map((node) => plannerNode({ facts: identity(node), machine: node.facts ?? undefined })),
    links: links.pairs.flatMap((pair): NodeLink[] => {
      const [best] = pair.paths;
      const link = best && linkOf(best);
      return link ? [{ between: [pair.a.id, pair.b.id], link }] : [];
    }),
    otherLink: UNKNOWN_LINK,
    ...DEFAULT_PLANNING,
    contextTokens: Math.min(card.contextTokens, DEFAULT_PLANNING.contextTokens),
  };
  const found = findPlan(request);
  if (!found) throw noPlan(request);
  const { plan, isExact } = found;
  return planReport(request, plan, { isExact, improvements: [] });
}

/** The status does not say what system a node runs; Apple's chips say it. */
function identity({ id, name, chip, memoryBytes }: NodeStatus) {
  const isMac = chip.startsWith('Apple ');
  return { id, name, chip, memoryBytes, platform: isMac ? 'darwin' : 'linux', arch: isMac ? 'arm64' : 'x64' };
}

const KINDS: Readonly<Record<string, Link['kind']>> = {
  thunderbolt: 'thunderbolt',
  'thunderbolt-bridge': 'thunderbolt',
  ethernet: 'ethernet',
  wifi: 'wifi',
};

/** As slow as its slower direction; undefined where one of them does not work. */
function linkOf({ from, there, back }: LinkPath): Link | undefined {
  if (!there || !back || there.gbps <= 0 || back.gbps <= 0) return undefined;
  return {
    kind: KINDS[there.kind] ?? 'unknown',
    label: from.interface,
    linkGbps: Math.min(there.gbps, back.gbps),
    roundTripMs: Math.max(there.smallRttP50Us, back.smallRttP50Us) / 1000,
    source: 'measured',
  };
}
