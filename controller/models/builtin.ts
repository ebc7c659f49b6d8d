// Model cards that need no file: R1 and its distilled models in the quantizations that people use. For planning before
// anything is bought or downloaded, and to say which smaller one would fit.
import { EspalierError } from '../../protocol/errors.ts';
import type { ModelCard } from '../../protocol/plan.ts';
import { cardOf, modelBytes } from './card-of.ts';
import { KNOWN_MODELS, type KnownModel, type SizedConfig } from './configs.ts';
import { modelTensors } from './tensors.ts';

/** What mlx-lm's converter uses when nobody says otherwise. */
const GROUP_SIZE = 64;
const UNQUANTIZED_BITS = 16;

/** Every name that `builtinCard` knows, e.g. `deepseek-r1-4bit`, `deepseek-r1-distill-llama-70b-bf16`. */
export const BUILTIN_NAMES: readonly string[] = KNOWN_MODELS.flatMap((model) =>
  model.bits.map((bits) => variantName(model, bits)),
);

/**
 * The card of a built-in model.
 * @param name case does not matter; without bits the 4-bit variant is meant
 * @throws EspalierError bad_option with the names that there are
 */
export function builtinCard(name: string): ModelCard {
  const wanted = name.trim().toLowerCase();
  for (const model of KNOWN_MODELS) {
    if (wanted === model.name) return variantCard(model, 4);
    const bits = model.bits.find((each) => wanted === variantName(model, each));
    if (bits !== undefined) return variantCard(model, bits);
  }
  throw new EspalierError(
    'bad_option',
    `there is no built-in model "${name}" and no model folder of that name; built in are: ${BUILTIN_NAMES.join(', ')}`,
  );
}

/** The card of any config, as MLX's converter would store it. @param bits of a weight; 16 leaves bfloat16 */
export function sizedCard(id: string, sizes: SizedConfig, bits: number): ModelCard {
  const quantization = bits === UNQUANTIZED_BITS ? undefined : { bits, group_size: GROUP_SIZE };
  const config = { ...sizes, quantization };
  return cardOf(id, config, modelTensors(config));
}

/** Built-in variants of the same model that take less memory, the largest first; none for a model that is not built in. */
export function smallerVariants(card: ModelCard): ModelCard[] {
  const model = KNOWN_MODELS.find(({ config }) => isOf(card, config));
  if (!model) return [];
  return model.bits
    .map((bits) => variantCard(model, bits))
    .filter((variant) => modelBytes(variant) < modelBytes(card) * 0.99)
    .sort(bySize);
}

/** All built-in models, the largest first. */
export function builtinCards(): ModelCard[] {
  return BUILTIN_NAMES.map(builtinCard).sort(bySize);
}

/** The largest in memory first; of equal ones that with more bits. */
function bySize(a: ModelCard, b: ModelCard): number {
  return modelBytes(b) - modelBytes(a) || b.fileBytes - a.fileBytes;
}

function isOf(card: ModelCard, config: SizedConfig): boolean {
  return (
    card.architecture === config.model_type &&
    card.layerCount === config.num_hidden_layers &&
    card.hiddenSize === config.hidden_size
  );
}

function variantName(model: KnownModel, bits: number): string {
  return `${model.name}-${bits === UNQUANTIZED_BITS ? 'bf16' : `${bits}bit`}`;
}

function variantCard(model: KnownModel, bits: number): ModelCard {
  return sizedCard(variantName(model, bits), model.config, bits);
}
