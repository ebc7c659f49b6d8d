// The architectures that the engine knows, by config.json's model_type. A new one is a file beside this one and a line
// here.
import type { z } from 'zod';
import { EspalierError } from '../../../protocol/errors.ts';
import type { ModelFolder } from '../../../protocol/model-folder.ts';
import type { LayerRange } from '../../../protocol/plan.ts';
import type { ParameterSpec } from '../parameters.ts';
import type { StageModel } from '../step.ts';
import { Weights } from '../weights.ts';
import * as deepseek_v3 from './deepseek_v3.ts';

interface Architecture<A> {
  Args: z.ZodType<A>;
  parameters(args: A, range: LayerRange, has: (tensor: string) => boolean): ParameterSpec[];
  Model: new (args: A, range: LayerRange, weights: Weights) => StageModel;
}

/** Keeps an architecture's own types together, so that the table can hold all of them. */
function architecture<A>({ Args, parameters, Model }: Architecture<A>) {
  return async (
    folder: ModelFolder,
    range: LayerRange,
  ): Promise<{ model: StageModel; weightBytes: number }> => {
    const args = Args.safeParse(folder.config);
    if (!args.success) {
      const issue = args.error.issues[0];
      const message = `config.json in ${folder.dir}: ${issue?.path.join('.')}: ${issue?.message}`;
      throw new EspalierError('model_mismatch', message);
    }
    const specs = parameters(args.data, range, (tensor) => folder.fileOf.has(tensor));
    const weights = await Weights.load(folder, specs);
    return { model: new Model(args.data, range, weights), weightBytes: weights.byteLength };
  };
}

const ARCHITECTURES: Record<string, ReturnType<typeof architecture>> = {
  deepseek_v3: architecture(deepseek_v3),
};

/**
 * Loads the layers `range` of a model folder.
 * @throws EspalierError model_unsupported, model_mismatch, model_file_missing, model_file_damaged
 */
export async function loadStageModel(
  folder: ModelFolder,
  range: LayerRange,
): Promise<{ model: StageModel; weightBytes: number }> {
  const { model_type: type, num_hidden_layers: layers } = folder.config;
  const load = Object.hasOwn(ARCHITECTURES, type) ? ARCHITECTURES[type] : undefined;
  if (!load) {
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
  return load(folder, range);
}
