// The cache of models on this machine's disk, in the layout of huggingface_hub (blobs, refs, snapshots), which other tools
// read, too. What is Espalier's own lies in `.espalier` of each repository: partial files, locks, and which blobs were
// verified. It must not know where bytes come from.
import {
  lstat,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { EspalierError } from '../../protocol/errors.ts';
import { type ModelFile, type ModelRef, ModelRef as Ref, RepoName } from '../../protocol/models.ts';
import { hashFile } from './blob-hash.ts';

const OWN = '.espalier';

export class ModelCache {
  /** with `models--…` in it */
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** `models--mlx-community--DeepSeek-R1-4bit`. @throws ZodError for what is no repository's name */
  repoDir(repo: string): string {
    return join(this.folder, `models--${RepoName.parse(repo).replace('/', '--')}`);
  }

  snapshotDir({ repo, commit }: ModelRef): string {
    Ref.parse({ repo, commit });
    return join(this.repoDir(repo), 'snapshots', commit);
  }

  blobPath(repo: string, blob: string): string {
    return join(this.repoDir(repo), 'blobs', blob);
  }

  /** Where a blob's bytes are gathered until they are all there and right: under no name that anybody loads. */
  partialPath(repo: string, blob: string): string {
    return join(this.repoDir(repo), OWN, `${blob}.part`);
  }

  lockPath(repo: string, blob: string): string {
    return join(this.repoDir(repo), OWN, `${blob}.lock`);
  }

  /** Makes the folders of a repository. @throws EspalierError disk_full, home_not_writable */
  async prepare(repo: string): Promise<void> {
    const dir = this.repoDir(repo);
    try {
      for (const name of ['blobs', 'refs', 'snapshots', OWN])
        await mkdir(join(dir, name), { recursive: true });
    } catch (error) {
      throw writeError(error, dir);
    }
  }

  /** Whether a file is there, whole, verified, and unchanged since. It is then found under its name in the snapshot. */
  async holds(model: ModelRef, file: ModelFile): Promise<boolean> {
    if (!(await this.isVerified(model.repo, file))) return false;
    await this.#link(model, file);
    return true;
  }

  /** Whether a blob was verified by this tool, and has neither another size nor another time since. */
  async isVerified(repo: string, { blob, sizeBytes }: ModelFile): Promise<boolean> {
    const mark = await readlink(this.#markPath(repo, blob)).catch(() => undefined);
    if (mark === undefined) return false;
    const info = await stat(this.blobPath(repo, blob)).catch(() => undefined);
    return info !== undefined && info.size === sizeBytes && mark === markOf(info);
  }

  /** Bytes of a blob that are gathered so far. */
  async partialBytes(repo: string, blob: string): Promise<number> {
    const info = await stat(this.partialPath(repo, blob)).catch(() => undefined);
    return info?.size ?? 0;
  }

  /**
   * Reads a blob that is there, whoever put it there, and takes it away when it is not what its name says.
   * @returns whether it is right; undefined where there is none
   * @throws the signal's reason
   */
  async verify(
    model: ModelRef,
    file: ModelFile,
    onBytes: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<boolean | undefined> {
    const path = this.blobPath(model.repo, file.blob);
    const info = await stat(path).catch(() => undefined);
    if (!info) return undefined;
    const isRight =
      info.size === file.sizeBytes && (await hashFile(path, file, onBytes, signal)) === file.blob;
    await rm(this.#markPath(model.repo, file.blob), { force: true });
    if (isRight) await this.#markVerified(model, file);
    else await rm(path, { force: true });
    return isRight;
  }

  /** A partial file whose bytes are all there and right becomes the blob. @throws EspalierError disk_full */
  async adopt(model: ModelRef, file: ModelFile): Promise<void> {
    const { repo } = model;
    const blob = this.blobPath(repo, file.blob);
    try {
      await mkdir(dirname(blob), { recursive: true });
      await rename(this.partialPath(repo, file.blob), blob);
      await this.#markVerified(model, file);
    } catch (error) {
      throw writeError(error, blob);
    }
  }

  /** A file that lies elsewhere and was verified becomes a blob without being copied. @throws EspalierError disk_full */
  async adoptElsewhere(model: ModelRef, file: ModelFile, path: string): Promise<void> {
    await this.prepare(model.repo);
    const blob = this.blobPath(model.repo, file.blob);
    try {
      await rm(blob, { force: true });
      await symlink(path, blob);
      await this.#markVerified(model, file);
    } catch (error) {
      throw writeError(error, blob);
    }
  }

  /** What a branch or tag stood for when it was last asked for, as other tools read it. */
  async noteRevision({ repo, commit }: ModelRef, revision: string): Promise<void> {
    if (revision === commit) return;
    const path = join(this.repoDir(repo), 'refs', revision);
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, commit);
    } catch (error) {
      throw writeError(error, path);
    }
  }

  /** Removes all of a repository, what other tools put there included. @returns bytes that were freed */
  async remove(repo: string): Promise<number> {
    const dir = this.repoDir(repo);
    try {
      const bytes = (await fileBytes(join(dir, 'blobs'))) + (await fileBytes(join(dir, OWN)));
      await rm(dir, { recursive: true, force: true });
      return bytes;
    } catch (error) {
      throw writeError(error, dir);
    }
  }

  /** Free for this user on the disk of the cache, which need not exist yet. */
  async freeBytes(): Promise<number> {
    for (let dir = this.folder; ; dir = dirname(dir)) {
      const info = await statfs(dir).catch(() => undefined);
      if (info) return info.bavail * info.bsize;
      if (dir === dirname(dir)) return 0;
    }
  }

  /** A symbolic link holds its text whole or not at all, whenever the process is killed. */
  async #markVerified(model: ModelRef, file: ModelFile): Promise<void> {
    const mark = this.#markPath(model.repo, file.blob);
    const info = await stat(this.blobPath(model.repo, file.blob));
    await mkdir(dirname(mark), { recursive: true });
    await rm(mark, { force: true });
    await symlink(markOf(info), mark).catch(ignoreExisting);
    await this.#link(model, file);
  }

  async #link(model: ModelRef, { path, blob }: ModelFile): Promise<void> {
    const link = join(this.snapshotDir(model), path);
    const target = relative(dirname(link), this.blobPath(model.repo, blob));
    if ((await readlink(link).catch(() => undefined)) === target) return;
    await mkdir(dirname(link), { recursive: true });
    await rm(link, { force: true });
    await symlink(target, link).catch(ignoreExisting);
  }

  #markPath(repo: string, blob: string): string {
    return join(this.repoDir(repo), OWN, `${blob}.verified`);
  }
}

/** A file that could not be written, in words. */
export function writeError(error: unknown, path: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new EspalierError('disk_full', `there is no space left for ${path}`);
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM')
    return new EspalierError('home_not_writable', `${path} cannot be written: ${message}`);
  return error;
}

/** Of the files in a folder; what a link leads to stays. */
async function fileBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    const info = await lstat(join(folder, name));
    if (info.isFile()) bytes += info.size;
  }
  return bytes;
}

function markOf({ size, mtimeMs }: { size: number; mtimeMs: number }): string {
  return `${size}-${Math.floor(mtimeMs)}`;
}

/** Two agents on one machine may do the same at once. */
function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
