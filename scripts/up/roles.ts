// What a home is: controller, agent or both, each with the options that it was last brought up with. It must not know how they
// are started.
import { join } from 'node:path';
import { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import { readOwnFile, writeOwnFile } from '../../protocol/home-files.ts';

export const ROLES = ['controller', 'agent'] as const;
export type UpRole = (typeof ROLES)[number];

const Arguments = z.array(z.string().max(4_096)).max(64);

/** Options of `espalier controller` and `espalier agent`, by role. */
export const RememberedRoles = z.strictObject({
  controller: Arguments.optional(),
  agent: Arguments.optional(),
});
export type RememberedRoles = z.infer<typeof RememberedRoles>;

/** @param home ESPALIER_HOME; @throws EspalierError home_damaged */
export function readRoles(home: string): RememberedRoles {
  const path = fileOf(home);
  const text = readOwnFile(path);
  if (text === undefined) return {};
  try {
    return RememberedRoles.parse(JSON.parse(text));
  } catch {
    const fix =
      'Remove it, then `espalier up controller` or `espalier up agent` with the options that are wanted.';
    throw new EspalierError('home_damaged', `${path} is damaged: it says what this home is. ${fix}`);
  }
}

/** @throws EspalierError home_not_writable */
export function writeRoles(home: string, roles: RememberedRoles): void {
  writeOwnFile(fileOf(home), `${JSON.stringify(roles, null, 2)}\n`);
}

function fileOf(home: string): string {
  return join(home, 'up.json');
}
