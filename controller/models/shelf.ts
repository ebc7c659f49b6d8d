// What the controller keeps of the store's models in its home: the text files and the headers of the weights, from which it
// plans, renders and tokenizes without a byte of weights. It must not know which nodes hold what.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import {
  indexedFiles,
  type ModelFolder,
  openModelFolder,
  WEIGHTS_INDEX,
  type WeightHeaders,
} from '../../protocol/model-folder.ts';
import { isWeightsFile, ModelDescription, RepoName } from '../../protocol/models.ts';
import { parseSafetensorsHead } from '../../protocol/safetensors.ts';

/** Written last: a folder without it is not there yet. */
const DESCRIPTION = 'espalier.json';
const HEAD = '.head';
const HEADS_AT_ONCE = 8;
const IN_USE = 'in-use';

/** A model as it is deployed and listed, without what has to be computed anew. */
const ShelvedFacts = z.object({ hasTools: z.boolean(), hasReasoning: z.boolean(), parameters: z.number() });
export type ShelvedFacts = z.infer<typeof ShelvedFacts>;
const Shelved = ModelDescription.extend({ facts: ShelvedFacts.nullable(), replicas: z.int().min(1) });
export type Shelved = z.infer<typeof Shelved>;

/** Brings bytes of a model from a node: a file, or the head of a weights file. */
export interface ShelfSource {
  text(file: ModelDescription['files'][number]): Promise<Buffer>;
  head(file: ModelDescription['files'][number]): Promise<Buffer>;
}

export class Shelf {
  readonly #folder: string;

  /** @param home ESPALIER_HOME of the controller */
  constructor(home: string) {
    this.#folder = join(home, 'models');
  }

  /** All that are kept, by name. */
  async list(): Promise<Shelved[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const all = await Promise.all(names.map((name) => this.#read(join(this.#folder, name))));
    return all.filter((one) => one !== undefined).sort((a, b) => (a.repo < b.repo ? -1 : 1));
  }

  async find(repo: string): Promise<Shelved | undefined> {
    return RepoName.safeParse(repo).success ? this.#read(this.dirOf(repo)) : undefined;
  }

  dirOf(repo: string): string {
    return join(this.#folder, RepoName.parse(repo).replace('/', '--'));
  }

  /**
   * Keeps a model, in the place of an earlier commit of it.
   * @throws what the source throws; EspalierError home_not_writable
   */
  async put(model: ModelDescription, replicas: number, source: ShelfSource): Promise<Shelved> {
    const dir = this.dirOf(model.repo);
    const fresh = `${dir}.new`;
    await this.#guard(async () => {
      await rm(fresh, { recursive: true, force: true });
      await mkdir(fresh, { recursive: true, mode: 0o700 });
    });
    const write = async (name: string, bytes: Promise<Buffer>) => {
      const path = join(fresh, name);
      const text = await bytes;
      await this.#guard(() => writeFile(path, text));
      return text;
    };
    let wanted: ReadonlySet<string> | undefined;
    for (const file of model.files) {
      if (isWeightsFile(file.path)) continue;
      const text = await write(file.path, source.text(file));
      if (file.path === WEIGHTS_INDEX) wanted = indexedFiles(text.toString('utf8'));
    }
    // files that are not in the index are of another format, and nobody needs them
    const files = model.files.filter(
      ({ path }) => !isWeightsFile(path) || wanted === undefined || wanted.has(path),
    );
    const wait = files.filter(({ path }) => isWeightsFile(path));
    const fetchHeads = async () => {
      for (let file = wait.shift(); file; file = wait.shift())
        await write(`${file.path}${HEAD}`, source.head(file));
    };
    // a round trip to the hub for each head: several at once
    await Promise.all(Array.from({ length: HEADS_AT_ONCE }, fetchHeads));
    const shelved: Shelved = { ...model, files, facts: null, replicas };
    await this.#guard(async () => {
      await writeFile(join(fresh, DESCRIPTION), JSON.stringify(shelved));
      await rm(dir, { recursive: true, force: true });
      await rename(fresh, dir);
    });
    return shelved;
  }

  /** Adds what was found out about it, or another number of copies. */
  async update(shelved: Shelved): Promise<void> {
    const path = join(this.dirOf(shelved.repo), DESCRIPTION);
    await this.#guard(async () => {
      await writeFile(`${path}.new`, JSON.stringify(shelved));
      await rename(`${path}.new`, path);
    });
  }

  async remove(repo: string): Promise<void> {
    await this.#guard(() => rm(this.dirOf(repo), { recursive: true, force: true }));
  }

  /** As a model folder whose weights lie elsewhere. @throws EspalierError as `openModelFolder` does */
  open(model: ModelDescription): Promise<ModelFolder> {
    const dir = this.dirOf(model.repo);
    return openModelFolder(dir, shelvedHeaders(dir, model));
  }

  /** The model that was last deployed by name, for the next start. */
  async lastUsed(): Promise<string | undefined> {
    const text = await readFile(join(this.#folder, IN_USE), 'utf8').catch(() => undefined);
    return text?.trim() || undefined;
  }

  /** @param repo undefined: what the controller is started with */
  async setLastUsed(repo: string | undefined): Promise<void> {
    const path = join(this.#folder, IN_USE);
    await this.#guard(async () => {
      if (repo === undefined) return rm(path, { force: true });
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      return writeFile(path, repo);
    });
  }

  async #read(dir: string): Promise<Shelved | undefined> {
    const text = await readFile(join(dir, DESCRIPTION), 'utf8').catch(() => undefined);
    if (text === undefined || dir.endsWith('.new')) return undefined;
    try {
      return Shelved.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }

  async #guard<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      throw new EspalierError(
        'home_not_writable',
        `${this.#folder} cannot be written: ${(error as Error).message}`,
      );
    }
  }
}

function shelvedHeaders(dir: string, { files }: ModelDescription): WeightHeaders {
  return {
    list: async () => files.map(({ path }) => path).filter(isWeightsFile),
    read: async (name) => {
      const size = files.find(({ path }) => path === name)?.sizeBytes;
      const head = await readFile(join(dir, `${name}${HEAD}`)).catch(() => undefined);
      if (head && size !== undefined) return parseSafetensorsHead(name, head, size);
      throw new EspalierError('model_file_missing', `${name} is not among the files of the model`);
    },
  };
}
