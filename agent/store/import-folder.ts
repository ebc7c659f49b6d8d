// A folder in MLX format on this machine's disk as a model of the store: its files stay where they are, and are named by
// the sha256 of their bytes as those of a hub are. It must not know who asked.
import { createHash } from 'node:crypto';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EspalierError } from '../../protocol/errors.ts';
import { ModelDescription, type ModelFile, ModelFileName } from '../../protocol/models.ts';
import { hashFile } from './blob-hash.ts';
import type { ModelCache } from './cache.ts';

const NO_BLOB = '0'.repeat(64);

/**
 * Reads every file of the folder once.
 * @param folder an absolute path
 * @param onBytes told of each piece that was read
 * @throws EspalierError model_folder_missing, model_file_missing, disk_full, home_not_writable; the signal's reason
 */
export async function importFolder(
  cache: ModelCache,
  folder: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<ModelDescription> {
  const info = await stat(folder).catch(() => undefined);
  if (!info?.isDirectory())
    throw new EspalierError('model_folder_missing', `there is no folder ${folder} on this node`);
  const names = (await readdir(folder)).filter((name) => ModelFileName.safeParse(name).success).sort();
  const files: ModelFile[] = [];
  for (const path of names) {
    const { size: sizeBytes } = await stat(join(folder, path));
    const blob = await hashFile(join(folder, path), { blob: NO_BLOB, sizeBytes }, onBytes, signal);
    files.push({ path, sizeBytes, blob });
  }
  const list = files.map(({ path, blob }) => `${blob} ${path}\n`).join('');
  const commit = createHash('sha256').update(list).digest('hex').slice(0, 40);
  const described = ModelDescription.safeParse({ repo: repoOf(folder), commit, files, licence: null });
  if (!described.success)
    throw new EspalierError('model_file_missing', `${folder} on this node holds no files of a model`);
  for (const file of files)
    await cache.adoptElsewhere(described.data, file, await realpath(join(folder, file.path)));
  return described.data;
}

/** Whether the folder has a draft of its own, which is not imported: a store's models are files without folders. */
export function hasOwnDraft(folder: string): Promise<boolean> {
  return stat(join(folder, 'draft', 'config.json')).then(
    (info) => info.isFile(),
    () => false,
  );
}

/** `local/NAME`, with what the hub's names do not have left out. */
function repoOf(folder: string): string {
  const name = basename(folder)
    .replace(/[^\w.-]+/g, '-')
    .replace(/([-.])[-.]+/g, '$1')
    .replace(/^[-._]+|[-.]+$/g, '');
  return `local/${name || 'model'}`;
}
