// What would make a plan better: a cable, one more node, a smaller quantization. Each is planned anew, so that its gain is
// that of the best plan after the change, not a guess. Pure.

import type { Link, Plan } from '../../protocol/plan.ts';
import type { PlanImprovement } from '../../protocol/plan-report.ts';
import { smallerVariants } from '../models/builtin.ts';
import { modelBytes } from '../models/card-of.ts';
import { CHIPS } from './chips.ts';
import type { NodeLink, PlannerNode, PlanRequest } from './inputs.ts';
import { estimatedLink } from './links.ts';
import { findPlan } from './planner.ts';
import { type Placed, placePlan, predictDecode } from './predict.ts';
import { gib } from './words.ts';

/** Of more nodes, a plan takes too long to make several of them just to advise. */
const MAX_ADVISED_NODES = 8;
/** Cables that are tried: the hops of a plan over MAX_ADVISED_NODES nodes. */
const MAX_CABLES = 8;
/** Less is within what the model can tell. */
const MIN_GAIN_SHARE = 0.02;

/**
 * The changes that gain something, in no order, each after the time that a plan takes: whoever serves requests meanwhile
 * can do so in between. None for plans over more nodes than can be planned in passing.
 */
export function* planImprovements(request: PlanRequest, plan: Plan): Generator<PlanImprovement | undefined> {
  if (request.nodes.length > MAX_ADVISED_NODES || request.pins?.layers) return;
  const now = speeds(placePlan(request.card, plan, request.nodes));
  const figure = request.goal === 'latency' ? 'oneStream' : 'allStagesBusy';
  for (const { change, request: changed } of changes(request, plan)) {
    const found = findPlan(changed);
    const then = found && speeds(placePlan(changed.card, found.plan, changed.nodes));
    const gainShare = then ? then[figure] / now[figure] - 1 : 0;
    yield then && gainShare >= MIN_GAIN_SHARE ? { change, ...then, gainShare } : undefined;
  }
}

interface Change {
  change: string;
  request: PlanRequest;
}

function changes(request: PlanRequest, plan: Plan): Change[] {
  return [...cables(request, plan), ...oneMoreNode(request, plan), ...smallerModel(request)];
}

/** A Thunderbolt cable wherever the plan has to go over something else; and all of these cables at once. */
function cables(request: PlanRequest, plan: Plan): Change[] {
  const { stages } = placePlan(request.card, plan, request.nodes);
  const cabled: { name: string; links: NodeLink[] }[] = [];
  for (const [i, present] of plan.links.entries()) {
    const from = stages[i] as Placed['stages'][number];
    const to = stages[(i + 1) % stages.length] as Placed['stages'][number];
    const link = cableBetween(from.node, to.node);
    if (!link || present.kind === 'thunderbolt' || cabled.length === MAX_CABLES) continue;
    const between: NodeLink['between'] = [from.node.id, to.node.id];
    // of two stages, the hop there and the hop back are one cable
    if (cabled.some(({ links }) => links.some((each) => isBetween(each, between)))) continue;
    const isKnown = request.links.some((each) => isBetween(each, between));
    const network = isKnown || !request.otherLink ? [] : [{ between, link: request.otherLink }];
    const name = `a ${link.label} cable between ${from.node.name} and ${to.node.name}`;
    cabled.push({ name, links: [...network, { between, link }] });
  }
  const change = (name: string, links: readonly NodeLink[]): Change => ({
    change: name,
    request: { ...request, links: [...request.links, ...links] },
  });
  const all = cabled.flatMap(({ links }) => links);
  const together =
    cabled.length > 1 ? [change(`${cabled.length} Thunderbolt cables, between all neighbours`, all)] : [];
  return [...together, ...cabled.map(({ name, links }) => change(name, links))];
}

function isBetween({ between: [a, b] }: NodeLink, [c, d]: NodeLink['between']): boolean {
  return (a === c && b === d) || (a === d && b === c);
}

/** What both ends have a port for; none where a chip is not known. */
function cableBetween(a: PlannerNode, b: PlannerNode): Link | undefined {
  const generations = [a, b].map(({ chip }) => CHIPS.find(({ name }) => name === chip)?.thunderbolt);
  if (generations.includes(undefined)) return undefined;
  return estimatedLink(generations.includes(4) ? 'thunderbolt-4' : 'thunderbolt-5');
}

/** One more of the node with the most memory, linked to every other one as the plan's first two are. */
function oneMoreNode(request: PlanRequest, plan: Plan): Change[] {
  if (request.pins?.nodes || plan.stages.length >= request.card.layerCount) return [];
  if (request.nodes.length + 1 > MAX_ADVISED_NODES) return [];
  const like = request.nodes.reduce((best, node) => (node.usableBytes > best.usableBytes ? node : best));
  const node = { ...like, id: `${like.id}+1`, name: `one more ${like.name}` };
  const link = plan.links[0] ?? cableBetween(like, like) ?? request.otherLink;
  if (!link) return [];
  const links = request.nodes.map(({ id }): NodeLink => ({ between: [id, node.id], link }));
  const change = `one more node like ${like.name} (${like.chip}, ${gib(like.memoryBytes)}) over ${link.label}`;
  const maxStages = request.maxStages && request.maxStages + 1;
  const larger = {
    ...request,
    nodes: [...request.nodes, node],
    links: [...request.links, ...links],
    maxStages,
  };
  return [{ change, request: larger }];
}

function smallerModel(request: PlanRequest): Change[] {
  const [card] = smallerVariants(request.card);
  if (!card) return [];
  const change = `the smaller quantization ${card.id} (${gib(modelBytes(card))}), at some cost in quality`;
  return [{ change, request: { ...request, card } }];
}

function speeds(placed: Placed): { oneStream: number; allStagesBusy: number } {
  return { oneStream: predictDecode(placed, 1), allStagesBusy: predictDecode(placed, placed.stages.length) };
}
