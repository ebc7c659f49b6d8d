// Where `espalier agent` takes its join token from: standard input or the environment, never the command line, which
// everybody on the machine can read.
import { EspalierError } from '../../protocol/errors.ts';
import { type JoinToken, parseJoinToken } from '../../protocol/join-token.ts';
import { readFirstLine } from './first-line.ts';

export const JOIN_TOKEN_VARIABLE = 'ESPALIER_JOIN_TOKEN';

/**
 * @param join the value of --join, of which there is one: `-`
 * @throws EspalierError bad_option
 */
export async function readJoinToken(join: string | undefined): Promise<JoinToken | undefined> {
  if (join !== undefined && join !== '-') {
    throw new EspalierError(
      'bad_option',
      `--join takes "-": the token comes on standard input, or in ${JOIN_TOKEN_VARIABLE}, where others cannot read it`,
    );
  }
  const given = process.env[JOIN_TOKEN_VARIABLE];
  // no child of this process needs it
  delete process.env[JOIN_TOKEN_VARIABLE];
  if (join === '-') return parseJoinToken(await readFirstLine('the join token'));
  return given === undefined || given.trim() === '' ? undefined : parseJoinToken(given);
}
