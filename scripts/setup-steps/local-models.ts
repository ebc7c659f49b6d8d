// The models that lie on this machine: the demo model, what other tools left in Hugging Face's cache, and folders in ~/models.
// It must not know whether they fit anywhere.
import { readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readModelCard } from '../../controller/models/card.ts';
import { openModelFolder } from '../../protocol/model-folder.ts';
import type { ModelCard } from '../../protocol/plan.ts';
import { demoModelDir } from '../cli/package-root.ts';

export interface LocalModel {
  dir: string;
  card: ModelCard;
}

/** Where the wizard gets its models from. */
export interface ModelSource {
  list(): Promise<LocalModel[]>;
}

/** More are not looked into: each costs reading the headers of its files. */
const MAX_FOLDERS = 100;

export function localModels(environment: NodeJS.ProcessEnv = process.env, user = homedir()): ModelSource {
  return {
    async list() {
      const cache =
        environment.HF_HUB_CACHE ?? join(environment.HF_HOME ?? join(user, '.cache', 'huggingface'), 'hub');
      const repositories = (await folders(cache)).filter((path) => /\/models--[^/]+$/.test(path));
      const snapshots = (
        await Promise.all(repositories.map((repository) => folders(join(repository, 'snapshots'))))
      ).flat();
      const found = [...(await folders(join(user, 'models'))), ...snapshots, demoModelDir()];
      const models = await Promise.all(found.slice(0, MAX_FOLDERS).map(openModel));
      return models.filter((model) => model !== undefined);
    },
  };
}

/** undefined: not one that Espalier can deploy */
async function openModel(dir: string): Promise<LocalModel | undefined> {
  try {
    return { dir, card: await readModelCard(await openModelFolder(dir)) };
  } catch {
    return undefined;
  }
}

async function folders(path: string): Promise<string[]> {
  const names = await readdir(path).catch(() => []);
  const paths = names.filter((name) => !name.startsWith('.')).map((name) => join(path, name));
  const kinds = await Promise.all(paths.map((each) => stat(each).catch(() => undefined)));
  return paths.filter((_, index) => kinds[index]?.isDirectory()).sort();
}
