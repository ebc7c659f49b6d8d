// The catalogue: R1 and its distilled models as the MLX community has quantized them, and which of them the present cluster
// can hold, best first. Sizes are computed from the architecture, so that nothing is asked of a hub; revisions are the hub's.
import { EspalierError } from '../../protocol/errors.ts';
import type { CatalogueEntry } from '../../protocol/models.ts';
import type { ModelCard, Plan } from '../../protocol/plan.ts';
import { TYPICAL_CONTEXT_TOKENS } from '../planner/cost.ts';
import type { PlanRequest } from '../planner/inputs.ts';
import { predictPlan } from '../planner/predict-plan.ts';
import { gib } from '../planner/words.ts';
import { builtinCard } from './builtin.ts';
import { modelBytes } from './card-of.ts';

interface KnownRepo {
  repo: string;
  card: string;
  bits: number;
  /** of the base model's terms, as its page names them */
  licence: string;
}

const MIT = 'mit';
/** DeepSeek's own weights are MIT; what they were distilled into keeps its maker's terms beside that. */
const LLAMA_33 = 'mit, and llama3.3';
const LLAMA_31 = 'mit, and llama3.1';

/** Names as of autumn 2026; `espalier models search` asks the hub. */
const REPOSITORIES: readonly KnownRepo[] = [
  { repo: 'mlx-community/DeepSeek-R1-0528-4bit', card: 'deepseek-r1-4bit', bits: 4, licence: MIT },
  { repo: 'mlx-community/DeepSeek-R1-4bit', card: 'deepseek-r1-4bit', bits: 4, licence: MIT },
  { repo: 'mlx-community/DeepSeek-R1-3bit', card: 'deepseek-r1-3bit', bits: 3, licence: MIT },
  ...distilled('Llama-70B', 'deepseek-r1-distill-llama-70b', LLAMA_33),
  ...distilled('Qwen-32B', 'deepseek-r1-distill-qwen-32b', MIT),
  ...distilled('Qwen-14B', 'deepseek-r1-distill-qwen-14b', MIT),
  ...distilled('Llama-8B', 'deepseek-r1-distill-llama-8b', LLAMA_31),
  ...distilled('Qwen-7B', 'deepseek-r1-distill-qwen-7b', MIT),
  ...distilled('Qwen-1.5B', 'deepseek-r1-distill-qwen-1.5b', MIT),
  {
    repo: 'mlx-community/DeepSeek-R1-0528-Qwen3-8B-8bit',
    card: 'deepseek-r1-0528-qwen3-8b-8bit',
    bits: 8,
    licence: MIT,
  },
  {
    repo: 'mlx-community/DeepSeek-R1-0528-Qwen3-8B-4bit',
    card: 'deepseek-r1-0528-qwen3-8b-4bit',
    bits: 4,
    licence: MIT,
  },
];

/** Both usual quantizations of one distilled model. */
function distilled(size: string, card: string, licence: string): KnownRepo[] {
  return [8, 4].map((bits) => ({
    repo: `mlx-community/DeepSeek-R1-Distill-${size}-${bits}bit`,
    card: `${card}-${bits}bit`,
    bits,
    licence,
  }));
}

/** The card of an entry by its repository, computed from the architecture; undefined: it has none. */
export function catalogueCard(repo: string): ModelCard | undefined {
  const known = REPOSITORIES.find((each) => each.repo === repo);
  return known && { ...builtinCard(known.card), id: repo };
}

/** How the cluster is asked whether it can hold a model. */
export interface CatalogueDeps {
  /** what a plan for a card would be made from */
  requestFor(card: ModelCard): PlanRequest;
  /** @throws EspalierError not_enough_nodes, bad_option */
  planFor(card: ModelCard): Promise<Plan>;
}

/**
 * Every entry with whether the nodes can hold it: those that fit first, the one with the most weights first, since a larger
 * model of this family answers better and more bits of the same one lose less.
 */
export async function catalogue(deps: CatalogueDeps): Promise<CatalogueEntry[]> {
  const entries: CatalogueEntry[] = [];
  // one after the other: plans over many nodes take a thread each
  for (const known of REPOSITORIES) entries.push(await entryOf(known, deps));
  return entries.sort((a, b) => Number(b.fits) - Number(a.fits) || b.memoryBytes - a.memoryBytes);
}

async function entryOf(
  { repo, card: name, bits, licence }: KnownRepo,
  { requestFor, planFor }: CatalogueDeps,
): Promise<CatalogueEntry> {
  const card = builtinCard(name);
  const memoryBytes = modelBytes(card);
  const facts = { repo, card: name, licence, bits, fileBytes: card.fileBytes, memoryBytes };
  const no = (reason: string) => ({ ...facts, fits: false, nodes: null, tokensPerSecond: null, reason });
  const request = requestFor(card);
  if (request.nodes.length === 0) return no('no node is connected');
  const usableBytes = request.nodes.reduce((sum, node) => sum + node.usableBytes, 0);
  // why no plan fits takes a planner long to say, and this is mostly why
  if (memoryBytes > usableBytes)
    return no(`its weights take ${gib(memoryBytes)}, and all nodes together can use ${gib(usableBytes)}`);
  try {
    const plan = await planFor(card);
    const tokensPerSecond = predictPlan(request, plan, 1, TYPICAL_CONTEXT_TOKENS);
    return { ...facts, fits: true, nodes: plan.stages.length, tokensPerSecond, reason: null };
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error;
    return no(error.message);
  }
}
