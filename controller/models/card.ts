// The model card of a folder: what the planner needs to know, from config.json and the weights' headers alone.
import { basename } from 'node:path';
import { type ModelFolder, readTensorInfos } from '../../protocol/model-folder.ts';
import type { ModelCard } from '../../protocol/plan.ts';
import { cardOf } from './card-of.ts';

/**
 * The card of a model folder. Bytes are what a stage holds of the weights once they are loaded.
 * @param id shown to users; the folder's name when undefined
 * @throws EspalierError model_file_missing, model_file_damaged, model_mismatch, model_unsupported
 */
export async function readModelCard(folder: ModelFolder, id?: string): Promise<ModelCard> {
  const infos = await readTensorInfos(folder, folder.fileOf.keys());
  return cardOf(id ?? basename(folder.dir), folder.config, infos);
}
