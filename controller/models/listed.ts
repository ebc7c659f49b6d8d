// What clients are told of a model folder: its size, age and digest. It must not know dialects.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ModelFolder, quantizationOf, readTensorInfos } from '../../protocol/model-folder.ts';
import type { ModelCard } from '../../protocol/plan.ts';

export interface ModelFacts {
  id: string;
  architecture: string;
  quantization: string;
  /** weights before they were packed, counted from the headers of the files */
  parameters: number;
  sizeBytes: number;
  /** sha256, hexadecimal, of what tells it from others */
  digest: string;
  /** milliseconds since 1970 */
  modifiedAt: number;
}

/** @throws EspalierError as `readTensorInfos` does */
export async function readModelFacts(folder: ModelFolder, card: ModelCard): Promise<ModelFacts> {
  const { mtimeMs } = await stat(join(folder.dir, 'config.json'));
  return {
    id: card.id,
    architecture: card.architecture,
    quantization: card.quantization,
    parameters: await countParameters(folder),
    sizeBytes: card.fileBytes,
    digest: folder.fingerprint,
    modifiedAt: Math.floor(mtimeMs),
  };
}

/** Of a packed weight each scale stands for a group of numbers; scales and biases of groups are none themselves. */
async function countParameters(folder: ModelFolder): Promise<number> {
  const infos = await readTensorInfos(folder, folder.fileOf.keys());
  let count = 0;
  for (const [name, { shape }] of infos) {
    const path = name.slice(0, name.lastIndexOf('.'));
    const scales = infos.get(`${path}.scales`);
    if (name.endsWith('.scales') || name.endsWith('.biases')) continue;
    const groupSize =
      scales && name.endsWith('.weight') ? quantizationOf(folder.config, path)?.groupSize : undefined;
    count += product(groupSize && scales ? scales.shape : shape) * (groupSize ?? 1);
  }
  return count;
}

function product(shape: readonly number[]): number {
  return shape.reduce((all, size) => all * size, 1);
}
