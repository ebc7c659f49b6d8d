// The model that a plan on paper is for: a folder's, or a built-in one.
import { stat } from 'node:fs/promises';
import { builtinCard } from '../../../controller/models/builtin.ts';
import { readModelCard } from '../../../controller/models/card.ts';
import { openModelFolder } from '../../../protocol/model-folder.ts';
import type { ModelCard } from '../../../protocol/plan.ts';

/**
 * @param name a path where there is a folder, or something with a slash in it; otherwise a built-in model's name
 * @throws EspalierError bad_option, and what a model folder can be wrong with
 */
export async function modelCard(name: string): Promise<ModelCard> {
  const isFolder = /[/\\]/.test(name) || (await stat(name).catch(() => undefined))?.isDirectory();
  return isFolder ? readModelCard(await openModelFolder(name)) : builtinCard(name);
}
