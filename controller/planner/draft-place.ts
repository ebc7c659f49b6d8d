// Where a model's draft runs: in the first stage's process, whose steps then wait for it, or in one of its own on another
// node, where its guesses take a round trip. Pure: both are predicted for one stream by the same cost model.
import type { Link, Plan, PlannedDraft } from '../../protocol/plan.ts';
import { DRAFT_YIELD } from '../../protocol/speculation.ts';
import type { PlannerNode, PlanRequest } from './inputs.ts';
import { comparedHopMs, linkTable } from './links.ts';
import { askedKvTokens, draftBytes, plannedKvTokens, rangeBytes, roomBytes, withoutDraft } from './memory.ts';
import { placePlan, predictDecode, predictGuessed } from './predict.ts';
import type { PlanCost } from './stability.ts';
import { rate } from './words.ts';

/**
 * What a draft and a stage in two processes cost each other on one node beside their steps (caches, bandwidth, wakes) is not
 * predicted: such a place must promise more than any other by a tenth.
 */
const SHARED_SHARE = 0.9;

interface Found extends PlanCost {
  plan: Plan;
  isExact: boolean;
}

export interface PlaceOptions {
  /** whether a node may run it; any when undefined */
  isAllowed?: (nodeId: string) => boolean;
  /** the stages run already: no node may be asked to give up room for KV */
  keepsKv?: boolean;
}

/** The same question of stages that hold no draft. */
export function apartRequest(request: PlanRequest): PlanRequest {
  return { ...request, card: withoutDraft(request.card) };
}

/** A plan whose first stage holds the card's draft says so. */
export function asBeside({ card }: PlanRequest, found: Found | undefined): Found | undefined {
  const [first] = found?.plan.stages ?? [];
  if (!found || !first || !card.draft || found.plan.stages.length === 1) return found;
  const { bytes } = card.draft;
  const draft: PlannedDraft = { place: 'head', nodeId: first.nodeId, bytes, reason: 'it was asked for' };
  return { ...found, plan: { ...found.plan, draft } };
}

/** A plan for stages without the card's draft gets it on a node of its own. @returns undefined where no node can run it */
export function asApart(request: PlanRequest, found: Found | undefined): Found | undefined {
  const plan = found && placeDraft(request, found.plan);
  return plan && { ...found, plan, tokenNs: apartTokenNs(request, plan, found) };
}

/** A token of one stream in a plan whose draft is apart, as `PlanCost` counts it. */
export function apartTokenNs(request: PlanRequest, plan: Plan, { sumNs }: PlanCost): number {
  const { goal, guessYield = 0, card, nodes } = request;
  if (goal !== 'latency' || guessYield === 0) return sumNs;
  return 1e9 / predictGuessed(placePlan(card, plan, nodes), guessYield);
}

/**
 * Of the best plan with the draft beside the first stage and the best with it apart the one with the faster stream; where
 * many streams are what counts, no stage may be slower for it. Of equal ones the first.
 */
export function betterDraft(
  request: PlanRequest,
  beside: Found | undefined,
  apart: Found | undefined,
): Found | undefined {
  if (!beside || !apart) return withReason(beside ?? apart, 'no other place has room for it');
  const [here, there] = [beside, apart].map(({ plan }) => speedOf(request, plan)) as [number, number];
  const isSlower = request.goal === 'throughput' && apart.maxNs > beside.maxNs;
  const isFaster = there * trustOf(apart.plan) > here;
  const isApart = request.draftPlace === 'apart' || (!isSlower && isFaster);
  const share = Math.round(100 * yieldOf(request));
  const figures = `one stream with ${share} % of the guesses right: ${rate(there)} tok/s with it there, ${rate(here)} beside the first stage (predicted)`;
  const but = there > here && !isFaster ? ', which is too little for two processes on one node' : '';
  return withReason(isApart ? apart : beside, `${apart.plan.draft?.reason}; ${figures}${but}`);
}

/** Of several plans with the draft apart the one with the fastest stream; of equal ones the first. */
export function fastestApart(request: PlanRequest, all: readonly (Found | undefined)[]): Found | undefined {
  const found = all.filter((each) => each !== undefined);
  const speeds = found.map(({ plan }) => speedOf(request, plan) * trustOf(plan));
  return found[speeds.indexOf(Math.max(...speeds))];
}

/** A plan like another one has its draft for the same reason, where it has it at the same place. */
export function forTheSameReason<F extends Found>(found: F, like: Found): F {
  const [draft, other] = [found.plan.draft, like.plan.draft];
  const isSame =
    other?.place === draft?.place && (draft?.place === 'head' || other?.nodeId === draft?.nodeId);
  return isSame && draft && other
    ? { ...found, plan: { ...found.plan, draft: { ...draft, reason: other.reason } } }
    : found;
}

/**
 * The draft on a node of its own: of all nodes with room for it that the first stage's node reaches, the one with which one
 * stream is predicted to be the fastest, one with a stage only where it gains more than a tenth; of equal ones the first by
 * name.
 * @param plan of stages without a draft
 * @returns undefined where no node can run it, or one stage leaves nothing to guess for
 */
export function placeDraft(request: PlanRequest, plan: Plan, options: PlaceOptions = {}): Plan | undefined {
  const { isAllowed = () => true } = options;
  const { nodes, links, otherLink, unlinked, pins, maxStages = nodes.length, card } = request;
  const head = plan.stages[0]?.nodeId;
  if (!card.draft || head === undefined || plan.stages.length === 1) return undefined;
  const between = linkTable(links, otherLink, unlinked);
  const isMeant = ({ id }: PlannerNode) =>
    id !== head && isAllowed(id) && !pins?.exclude?.includes(id) && (pins?.nodes?.includes(id) ?? true);
  const hasStage = ({ id }: PlannerNode) => plan.stages.some(({ nodeId }) => nodeId === id);
  // no more nodes than were asked for
  const mayBeFree = plan.stages.length < maxStages;
  let best: { plan: Plan; speed: number } | undefined;
  for (const node of [...nodes].sort(byName)) {
    if (!isMeant(node) || !(mayBeFree || hasStage(node))) continue;
    const link = fastest(between(head, node.id));
    const drafted = link && withDraft(request, plan, node, link, options);
    if (!drafted) continue;
    const speed = speedOf(request, drafted) * trustOf(drafted);
    if (!best || speed > best.speed) best = { plan: drafted, speed };
  }
  return best?.plan;
}

/** @returns undefined where the node has no room for it */
function withDraft(
  request: PlanRequest,
  plan: Plan,
  node: PlannerNode,
  link: Link,
  { keepsKv = false }: PlaceOptions,
): Plan | undefined {
  const { card, nodes } = request;
  const bytes = draftBytes(card);
  const stage = plan.stages.find(({ nodeId }) => nodeId === node.id);
  const reason = `${node.name} has ${stage ? 'room beside its stage' : 'no stage'}`;
  const draft: PlannedDraft = { place: 'apart', nodeId: node.id, bytes, link, reason };
  const drafted = { ...plan, draft };
  if (!stage) return roomBytes(node) >= bytes ? drafted : undefined;
  const stageCard = withoutDraft(card);
  // weights first: what is left is KV's
  if (roomBytes(node) - rangeBytes(stageCard, stage.range) < bytes) return undefined;
  const kvTokens = plannedKvTokens(stageCard, placePlan(card, drafted, nodes).stages);
  const least = keepsKv ? plan.kvTokens : Math.min(plan.kvTokens, askedKvTokens(request));
  return kvTokens >= least ? { ...drafted, kvTokens: Math.min(kvTokens, plan.kvTokens) } : undefined;
}

/** One stream with guesses, where there are any, in tokens a second. */
function speedOf(request: PlanRequest, plan: Plan): number {
  const placed = placePlan(request.card, plan, request.nodes);
  return plan.stages.length === 1 ? predictDecode(placed, 1) : predictGuessed(placed, yieldOf(request));
}

/** How much of the predicted speed of a plan with the draft apart is believed. */
function trustOf({ stages, draft }: Plan): number {
  return stages.some(({ nodeId }) => nodeId === draft?.nodeId) ? SHARED_SHARE : 1;
}

/** The share of right guesses by which places are compared, also where guesses do not count for the plan's goal. */
function yieldOf({ guessYield }: PlanRequest): number {
  return guessYield || DRAFT_YIELD;
}

function withReason(found: Found | undefined, reason: string): Found | undefined {
  const { draft } = found?.plan ?? {};
  return found && draft ? { ...found, plan: { ...found.plan, draft: { ...draft, reason } } } : found;
}

function fastest(links: readonly Link[]): Link | undefined {
  return [...links].sort((a, b) => comparedHopMs(a, 0) - comparedHopMs(b, 0))[0];
}

function byName(a: PlannerNode, b: PlannerNode): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true }) || (a.id < b.id ? -1 : 1);
}
