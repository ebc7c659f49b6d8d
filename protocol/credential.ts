// What a command shows to a controller: the key that the user named, or, to one of the user's own on this machine, the secret
// that it wrote for him. It must not know what the command asks for.
import { join } from 'node:path';
import { AUTHORITY_FILE, Authority } from './authority.ts';
import { espalierHome } from './home.ts';
import { readOwnFile } from './home-files.ts';

/** Holds a key of the API, for controllers on other machines. */
export const KEY_VARIABLE = 'ESPALIER_KEY';

/** The headers that say who asks; none where there is nothing to say. */
export function credentialHeaders(
  controllerUrl: string,
  environment: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const key = environment[KEY_VARIABLE]?.trim() || ownSecret(controllerUrl, espalierHome(environment));
  return key ? { authorization: `Bearer ${key}` } : {};
}

/** Only for a controller on this machine: the secret must not travel. */
function ownSecret(controllerUrl: string, home: string): string | undefined {
  const asked = new URL(controllerUrl);
  if (!/^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(asked.hostname)) return undefined;
  // a demo has a home of its own, below the user's
  const homes = [home, join(home, 'demo', asked.port, 'controller')];
  return homes
    .map((folder) => readAuthority(join(folder, AUTHORITY_FILE)))
    .find((authority) => authority !== undefined && new URL(authority.url).port === asked.port)?.secret;
}

function readAuthority(path: string): Authority | undefined {
  try {
    return Authority.parse(JSON.parse(readOwnFile(path) ?? ''));
  } catch {
    return undefined; // who may not read it has no authority: the controller says what would help
  }
}
