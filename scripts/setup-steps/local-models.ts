// The models that lie on this machine without being in the store: what other tools left in Hugging Face's cache, and folders in
// ~/models. It must not know whether they fit anywhere.
import { readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readModelCard } from '../../controller/models/card.ts';
import { openModelFolder } from '../../protocol/model-folder.ts';
import type { ModelCard } from '../../protocol/plan.ts';

export interface LocalModel {
  /** as `espalier models pull` takes it: the repository of a cached one, the folder of any other */
  name: string;
  dir: string;
  card: ModelCard;
}

/** More are not looked into: each costs reading the headers of its files. */
const MAX_FOLDERS = 100;
/** Hugging Face's name for the folder of `organisation/name`. */
const CACHED = /[/\\]models--([^/\\]+?)--([^/\\]+)$/;

export async function localModels(
  environment: NodeJS.ProcessEnv = process.env,
  user = homedir(),
): Promise<LocalModel[]> {
  const cache =
    environment.HF_HUB_CACHE ?? join(environment.HF_HOME ?? join(user, '.cache', 'huggingface'), 'hub');
  const cached = await Promise.all(
    (await folders(cache)).map(async (repository) => {
      const [, organisation, name] = CACHED.exec(repository) ?? [];
      if (organisation === undefined || name === undefined) return [];
      return (await folders(join(repository, 'snapshots'))).map((dir) => ({
        dir,
        repo: `${organisation}/${name}`,
      }));
    }),
  );
  const found = [
    ...(await folders(join(user, 'models'))).map((dir) => ({ dir, repo: undefined })),
    ...cached.flat(),
  ];
  const models = await Promise.all(
    found.slice(0, MAX_FOLDERS).map(({ dir, repo }) => openLocalModel(dir, repo).catch(() => undefined)),
  );
  return models.filter((model) => model !== undefined);
}

/**
 * @param repo whose snapshot it is
 * @throws EspalierError as `openModelFolder` and `readModelCard` do: it is none that Espalier can deploy
 */
export async function openLocalModel(dir: string, repo?: string): Promise<LocalModel> {
  return { name: repo ?? dir, dir, card: await readModelCard(await openModelFolder(dir), repo) };
}

async function folders(path: string): Promise<string[]> {
  const names = await readdir(path).catch(() => []);
  const paths = names.filter((name) => !name.startsWith('.')).map((name) => join(path, name));
  const kinds = await Promise.all(paths.map((each) => stat(each).catch(() => undefined)));
  return paths.filter((_, index) => kinds[index]?.isDirectory()).sort();
}
