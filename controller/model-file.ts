// Reads the text files of a model folder (JSON and templates) with errors that name the folder, file and field.
// It must not know what the files are for.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { EspalierError } from '../protocol/errors.ts';

/**
 * The text of one file of a model folder.
 * @returns undefined when the file does not exist
 * @throws EspalierError model_file_missing when it is there but cannot be read
 */
export async function readModelText(modelDir: string, file: string): Promise<string | undefined> {
  try {
    return await readFile(join(modelDir, file), 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new EspalierError('model_file_missing', `${file} in ${modelDir} cannot be read (${code}).`);
  }
}

/**
 * One JSON file of a model folder, checked against a schema.
 * @returns undefined when the file does not exist
 * @throws EspalierError model_file_missing (unreadable), model_file_damaged (no JSON), model_mismatch (a field is wrong)
 */
export async function readModelJson<T>(
  modelDir: string,
  file: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const text = await readModelText(modelDir, file);
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new EspalierError(
      'model_file_damaged',
      `${file} in ${modelDir} is not JSON (${(error as Error).message}).`,
    );
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join('.') || 'the whole file';
  throw new EspalierError(
    'model_mismatch',
    `${file} in ${modelDir} does not fit: ${field}: ${issue?.message ?? 'wrong'}.`,
  );
}

/** @throws EspalierError model_folder_missing when `modelDir` is not a folder */
export async function assertModelFolder(modelDir: string): Promise<void> {
  const info = await stat(modelDir).catch(() => undefined);
  if (!info?.isDirectory())
    throw new EspalierError('model_folder_missing', `There is no model folder ${modelDir}.`);
}

/** The same as readModelJson for a file that must exist. */
export async function requireModelJson<T>(modelDir: string, file: string, schema: z.ZodType<T>): Promise<T> {
  const value = await readModelJson(modelDir, file, schema);
  if (value === undefined)
    throw new EspalierError('model_file_missing', `${file} is missing in ${modelDir}.`);
  return value;
}
