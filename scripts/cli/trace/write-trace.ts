// A trace on its way to a file of the user's.
import { writeFile } from 'node:fs/promises';
import { EspalierError } from '../../../protocol/errors.ts';

/** Writes over what is there. @throws EspalierError bad_option when the file cannot be written */
export async function writeTrace(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, `${text}\n`);
  } catch (error) {
    throw new EspalierError(
      'bad_option',
      `--output ${file}: it cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
      { cause: error },
    );
  }
}
