// The architectures that the engine knows, by config.json's model_type. A new one is a file beside this one and a line
// here.
import type { z } from 'zod';
import { EspalierError } from '../../../protocol/errors.ts';
import type { ModelFolder } from '../../../protocol/model-folder.ts';
import type { LayerRange } from '../../../protocol/plan.ts';
import { Checkpoint, type Sanitize } from '../checkpoint.ts';
import type { ParameterSpec } from '../parameters.ts';
import { flattenRope } from '../rope.ts';
import type { StageModel } from '../step.ts';
import { Weights } from '../weights.ts';
import * as deepseek_v3 from './deepseek_v3.ts';
import * as llama from './llama.ts';
import * as qwen2 from './qwen2.ts';
import * as qwen3 from './qwen3.ts';

/** What a file of this folder exports. */
interface Architecture<A> {
  /** the fields of config.json */
  Args: z.ZodType<A>;
  /** @param has whether the checkpoint holds a tensor */
  parameters(args: A, range: LayerRange, has: (tensor: string) => boolean): ParameterSpec[];
  /** what is repaired of a checkpoint in an older layout; without it, tensors are as they are stored */
  sanitize?: (args: A) => Sanitize;
  Model: new (args: A, range: LayerRange, weights: Weights) => StageModel;
}

/** A stage's layers, whose weights are still to be loaded. */
export interface OpenedModel {
  model: StageModel;
  weights: Weights;
}

/** Keeps an architecture's own types together, so that the table can hold all of them. */
function architecture<A>({ Args, parameters, sanitize, Model }: Architecture<A>) {
  return async (folder: ModelFolder, range: LayerRange, before?: Weights): Promise<OpenedModel> => {
    const args = parseArgs(Args, folder);
    const checkpoint = new Checkpoint(folder, sanitize?.(args) ?? (() => undefined));
    const specs = parameters(args, range, (tensor) => checkpoint.has(tensor));
    const weights = await Weights.open(checkpoint, specs, before);
    return { model: new Model(args, range, weights), weights };
  };
}

function parseArgs<A>(Args: z.ZodType<A>, folder: ModelFolder): A {
  const result = Args.safeParse(flattenRope(folder.config));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const message = `config.json in ${folder.dir}: ${issue?.path.join('.')}: ${issue?.message}`;
  // another value than the few that are known is a model that we cannot run; all else is a config that is wrong
  const isChoice = issue?.code === 'invalid_value' || issue?.code === 'invalid_union';
  throw new EspalierError(isChoice ? 'model_unsupported' : 'model_mismatch', message);
}

const ARCHITECTURES: Record<string, ReturnType<typeof architecture>> = {
  deepseek_v3: architecture(deepseek_v3),
  llama: architecture(llama),
  qwen2: architecture(qwen2),
  qwen3: architecture(qwen3),
};

/**
 * Checks the layers `range` of a model folder and makes their modules; `weights.load` then reads them.
 * @param before the weights of the same model's range that the stage had before: what both have is taken over
 * @throws EspalierError model_unsupported, model_mismatch, model_file_missing, model_file_damaged
 */
export async function openStageModel(
  folder: ModelFolder,
  range: LayerRange,
  before?: Weights,
): Promise<OpenedModel> {
  const { model_type: type, num_hidden_layers: layers } = folder.config;
  const open = Object.hasOwn(ARCHITECTURES, type) ? ARCHITECTURES[type] : undefined;
  if (!open) {
    const known = Object.keys(ARCHITECTURES).join(', ');
    throw new EspalierError(
      'model_unsupported',
      `the architecture ${type} is not supported; supported: ${known}`,
    );
  }
  if (range.end > layers) {
    throw new EspalierError(
      'model_mismatch',
      `layers up to ${range.end} were asked of a model that has ${layers}`,
    );
  }
  return open(folder, range, before);
}
