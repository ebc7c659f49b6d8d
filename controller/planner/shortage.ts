// Why a model does not fit, and what would do: how much is missing, a shorter context, a smaller quantization, more nodes.
// Whatever is proposed was planned first.
import { EspalierError } from '../../protocol/errors.ts';
import { builtinCards, smallerVariants } from '../models/builtin.ts';
import { modelBytes } from '../models/card-of.ts';
import type { PlannerNode, PlanRequest } from './inputs.ts';
import { askedKvTokens, kvTokenBytes, roomBytes } from './memory.ts';
import { count, gib, plural } from './words.ts';

const MAX_MORE_NODES = 32;
const MAX_PAIRS_NAMED = 3;
const SHORTEST_CONTEXT_TOKENS = 1_024;

/**
 * @param fits whether there is a plan for a request
 * @returns not_enough_nodes with the missing memory and what would do; nodes_unlinked with the pairs that are in the way
 */
export function shortageError(request: PlanRequest, fits: (request: PlanRequest) => boolean): EspalierError {
  const { card } = request;
  const nodes = candidates(request);
  if (nodes.length === 0 && request.nodes.length > 0) {
    const names = request.nodes.map(({ name }) => name).join(', ');
    return new EspalierError('bad_option', `--exclude leaves none of the nodes (${names})`);
  }
  if (nodes.length === 0)
    return new EspalierError('not_enough_nodes', 'no node is connected that may be used (see --exclude)');
  if (request.unlinked?.length && fits({ ...request, unlinked: [] })) return unlinkedError(request, nodes);
  const remedies = [shorterContext(request, fits), smallerModel(request, fits), moreNodes(request, fits)];
  const known = remedies.filter((remedy) => remedy !== undefined);
  const advice = known.length > 0 ? ` What would do: ${known.join('; ')}.` : '';
  return new EspalierError(
    'not_enough_nodes',
    `${card.id} does not fit: ${missing(request, nodes)}.${advice}`,
  );
}

/** There is room, but not among nodes that reach one another. */
function unlinkedError(request: PlanRequest, nodes: readonly PlannerNode[]): EspalierError {
  const { card, unlinked = [], pins } = request;
  const nameOf = (id: string) => nodes.find((node) => node.id === id)?.name;
  const isNeighbour = (a: string, b: string) => {
    const [i, j] = [a, b].map((id) => pins?.nodes?.indexOf(id) ?? -1) as [number, number];
    const apart = Math.abs(i - j);
    return !pins?.nodes || apart === 1 || apart === pins.nodes.length - 1;
  };
  const pairs = unlinked
    .filter((pair) => pair.every((id) => nameOf(id) !== undefined) && isNeighbour(...pair))
    .map((pair) => pair.map(nameOf).join(' and '));
  const more = pairs.length > MAX_PAIRS_NAMED ? [`${pairs.length - MAX_PAIRS_NAMED} more pairs`] : [];
  const named = [...pairs.slice(0, MAX_PAIRS_NAMED), ...more].join('; ');
  return new EspalierError(
    'nodes_unlinked',
    `${card.id} would fit, but stages that follow one another must reach each other, and these do not: ${named}`,
  );
}

/** The arithmetic: all rooms together, or, where that is enough, the whole layers that no room is left for. */
function missing(request: PlanRequest, nodes: readonly PlannerNode[]): string {
  const { card } = request;
  const weights = modelBytes(card);
  const kv = kvBytes(request, nodes);
  const room = nodes.reduce((sum, node) => sum + Math.max(0, roomBytes(node)), 0);
  const takes = `it takes ${gib(weights + kv)} (weights ${gib(weights)}, KV ${gib(kv)})`;
  const where = nodes.length === 1 ? `${nodes[0]?.name} has` : `${nodes.length} nodes have`;
  const gap = weights + kv - room;
  if (gap > 0)
    return `${takes}, ${where} ${gib(room)} for it, ${gib(gap)} (${(gap / 1e9).toFixed(1)} GB) are missing`;
  const layer = Math.max(...card.layerBytes);
  return (
    `${takes}, and ${where} ${gib(room)} for it, but not in one piece: a layer of ${gib(layer)} lies whole on one node, ` +
    'and between neighbours there must be a link'
  );
}

function shorterContext(request: PlanRequest, fits: (request: PlanRequest) => boolean): string | undefined {
  for (let tokens = request.contextTokens / 2; tokens >= SHORTEST_CONTEXT_TOKENS; tokens /= 2) {
    const contextTokens = Math.floor(tokens);
    if (fits({ ...request, contextTokens })) return `a context of ${count(contextTokens)} tokens`;
  }
  return undefined;
}

function smallerModel(request: PlanRequest, fits: (request: PlanRequest) => boolean): string | undefined {
  const unpinned = withoutLayers(request);
  const variant = smallerVariants(request.card).find((card) => fits({ ...unpinned, card }));
  if (variant) return `the smaller quantization ${variant.id} (${gib(modelBytes(variant))})`;
  const other = builtinCards().find(
    (card) => modelBytes(card) < modelBytes(request.card) && fits({ ...unpinned, card }),
  );
  return other && `another model: ${other.id} (${gib(modelBytes(other))})`;
}

/** How many more of the largest node there is. */
function moreNodes(request: PlanRequest, fits: (request: PlanRequest) => boolean): string | undefined {
  const nodes = candidates(request);
  if (request.pins?.nodes) {
    const { pins, ...rest } = request;
    return fits({ ...rest, pins: { exclude: pins.exclude } })
      ? 'other nodes than the pinned ones'
      : undefined;
  }
  const like = nodes.reduce((best, node) => (roomBytes(node) > roomBytes(best) ? node : best));
  const room = roomBytes(like);
  if (room <= 0) return undefined;
  const gap = modelBytes(request.card) + kvBytes(request, nodes);
  const held = nodes.reduce((sum, node) => sum + Math.max(0, roomBytes(node)), 0);
  // whole layers leave gaps on each node, so that a few more than the arithmetic asks for may be needed
  for (let more = Math.max(1, Math.ceil((gap - held) / room)); more <= MAX_MORE_NODES; more++) {
    const added = Array.from({ length: more }, (_, i) => ({
      ...like,
      id: `${like.id}+${i}`,
      name: `more-${i + 1}`,
    }));
    const maxStages = request.maxStages && request.maxStages + more;
    const larger = { ...withoutLayers(request), nodes: [...request.nodes, ...added], maxStages };
    if (fits(larger)) return `${plural(more, 'more node')} of ${gib(like.memoryBytes)}`;
  }
  return undefined;
}

function candidates({ nodes, pins }: PlanRequest): PlannerNode[] {
  return nodes.filter(
    ({ id }) => !pins?.exclude?.includes(id) && (pins?.nodes === undefined || pins.nodes.includes(id)),
  );
}

function kvBytes(request: PlanRequest, [node]: readonly PlannerNode[]): number {
  return node ? kvTokenBytes(request.card, node, request.card.layerCount) * askedKvTokens(request) : 0;
}

/** Pinned layers hold for one model and one number of nodes. */
function withoutLayers(request: PlanRequest): PlanRequest {
  return { ...request, pins: { ...request.pins, layers: undefined } };
}
