// The layers that a stage holds, and how it comes to others: what both ranges have is not read again, and what only the
// old one has is freed before anything is read. It knows no session.
import { EspalierError } from '../../protocol/errors.ts';
import { MAX_VOCABULARY } from '../../protocol/limits.ts';
import { type ModelFolder, openModelFolder } from '../../protocol/model-folder.ts';
import type { LayerRange } from '../../protocol/plan.ts';
import { isLayer } from './decoder.ts';
import { type OpenedModel, openStageModel } from './models/registry.ts';
import type { StageModel } from './step.ts';

export interface LayersOptions {
  modelDir: string;
  /** of the model that is wanted; any, where it is undefined */
  fingerprint?: string;
  /** gives memory back: node-mlx frees tensors only after a garbage collection and a turn of the event loop */
  settle: () => Promise<void>;
  /** gives back what was held for long, as the weights of layers are; `settle` where it is undefined */
  settleAll?: () => Promise<void>;
  /** called while layers are loaded: how many there are of those that have to be read */
  onProgress?: (layers: number, ofLayers: number) => void;
}

export class StageLayers {
  readonly config: ModelFolder['config'];
  readonly #options: LayersOptions;
  #opened: OpenedModel;
  #range: LayerRange;

  private constructor(
    config: ModelFolder['config'],
    opened: OpenedModel,
    range: LayerRange,
    options: LayersOptions,
  ) {
    this.config = config;
    this.#opened = opened;
    this.#range = range;
    this.#options = options;
  }

  /** @throws EspalierError model_folder_missing, model_file_missing, model_file_damaged, model_mismatch, model_unsupported */
  static async load(range: LayerRange, options: LayersOptions): Promise<StageLayers> {
    const folder = await openFolder(options);
    const layers = new StageLayers(folder.config, await openStageModel(folder, range), range, options);
    await layers.#load();
    return layers;
  }

  get model(): StageModel {
    return this.#opened.model;
  }

  get range(): LayerRange {
    return this.#range;
  }

  get weightBytes(): number {
    return this.#opened.weights.byteLength;
  }

  /**
   * Takes another range. Where it fails, nothing can be computed any more.
   * @returns how many layers were read @throws EspalierError as `load`
   */
  async move(range: LayerRange): Promise<number> {
    // the folder is looked at again: it may hold another model by now
    const folder = await openFolder(this.#options);
    // nothing else may hold on to the old weights while new ones are read
    this.#opened = await openStageModel(folder, range, this.#opened.weights);
    this.#range = range;
    return this.#load();
  }

  /** @returns how many layers were read */
  async #load(): Promise<number> {
    const { settle, settleAll = settle, onProgress } = this.#options;
    const { weights } = this.#opened;
    const ofLayers = weights.missing.filter(isLayer).length;
    let layers = 0;
    onProgress?.(layers, ofLayers);
    // what the range before had alone goes first: both together may not fit
    weights.release();
    await settleAll();
    await weights.load(settle, (part) => {
      if (isLayer(part)) layers += 1;
      onProgress?.(layers, ofLayers);
    });
    await settleAll();
    return layers;
  }
}

/** @throws EspalierError where it is not the model that is wanted, or none that can be computed, and as openModelFolder */
async function openFolder({ modelDir, fingerprint }: LayersOptions): Promise<ModelFolder> {
  const folder = await openModelFolder(modelDir);
  if (fingerprint !== undefined && folder.fingerprint !== fingerprint) {
    const message = `${modelDir} on this node is not the model that the controller has`;
    throw new EspalierError('model_mismatch', message);
  }
  const { vocab_size: vocabSize } = folder.config;
  if (vocabSize <= MAX_VOCABULARY) return folder;
  throw new EspalierError(
    'model_unsupported',
    `a vocabulary of ${vocabSize} tokens; at most ${MAX_VOCABULARY} are supported`,
  );
}
