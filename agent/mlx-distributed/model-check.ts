// Whether a node has what its rank needs of a model: before a rank loads, because mlx-lm gives random weights to what it
// does not find. The tensors' own checks are protocol/model-folder.ts's.
import { EspalierError } from '../../protocol/errors.ts';
import { openModelFolder, readTensorInfos } from '../../protocol/model-folder.ts';
import type { StageSpec } from '../../protocol/stage.ts';

/** mlx-lm reads these files, and leaves others alone without a word. */
const READ_BY_MLX_LM = /^model.*\.safetensors$/;
const LAYER = /(?:^|\.)layers\.(\d+)\./;

/**
 * Checks the files of a rank's layers, and of the tensors that belong to none (each rank holds embedding, norm and head).
 * @throws EspalierError model_folder_missing, model_file_missing, model_file_damaged, model_mismatch, model_unsupported
 */
export async function checkModelFiles({
  modelDir,
  modelFingerprint,
  range,
  ranks,
}: StageSpec): Promise<void> {
  const folder = await openModelFolder(modelDir);
  if (folder.fingerprint !== modelFingerprint) {
    const message = `${modelDir} holds another model than the controller's: config.json or the weights' headers differ`;
    throw new EspalierError('model_mismatch', message);
  }
  const held = new Set<number>();
  const needed = [...folder.fileOf.keys()].filter((tensor) => {
    const layer = LAYER.exec(tensor)?.[1];
    if (layer === undefined) return true;
    held.add(Number(layer));
    return ranks?.split === 'tensor' || (Number(layer) >= range.start && Number(layer) < range.end);
  });
  for (let layer = range.start; layer < range.end; layer++) {
    if (held.has(layer)) continue;
    throw new EspalierError('model_mismatch', `no file in ${modelDir} is said to hold layer ${layer}`);
  }
  const files = new Set(needed.map((tensor) => folder.fileOf.get(tensor) ?? ''));
  const strange = [...files].find((file) => !READ_BY_MLX_LM.test(file));
  if (strange !== undefined) {
    const message = `mlx-lm reads files named model*.safetensors, and not ${strange} in ${modelDir}: use --engine node-mlx`;
    throw new EspalierError('model_unsupported', message);
  }
  await readTensorInfos(folder, needed);
}
