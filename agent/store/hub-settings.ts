// Where this machine keeps models and how it asks the hub: the environment variables and files that Hugging Face's own
// tools read, so that all of them share one cache. Pure but for the token's file.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

const DEFAULT_ENDPOINT = 'https://huggingface.co';

export interface HubSettings {
  /** the folder with `models--…` in it */
  cacheDir: string;
  /** without a slash at its end */
  endpoint: string;
  /** read anew at each call: people log in while an agent runs */
  token(): string | undefined;
}

/**
 * HF_HUB_CACHE, HF_HOME (default `~/.cache/huggingface`, below XDG_CACHE_HOME where that is set), HF_ENDPOINT, HF_TOKEN,
 * HF_TOKEN_PATH, as huggingface_hub documents them.
 * @param cacheDir instead of what the environment says
 */
export function hubSettings(environment: NodeJS.ProcessEnv = process.env, cacheDir?: string): HubSettings {
  const set = (name: string) => environment[name]?.trim() || undefined;
  const caches = set('XDG_CACHE_HOME') ?? join(homedir(), '.cache');
  const home = resolve(expandHome(set('HF_HOME') ?? join(caches, 'huggingface')));
  const cache = cacheDir ?? set('HF_HUB_CACHE') ?? set('HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub');
  const tokenPath = expandHome(set('HF_TOKEN_PATH') ?? join(home, 'token'));
  return {
    cacheDir: resolve(expandHome(cache)),
    endpoint: (set('HF_ENDPOINT') ?? DEFAULT_ENDPOINT).replace(/\/+$/, ''),
    token: () => set('HF_TOKEN') ?? set('HUGGING_FACE_HUB_TOKEN') ?? readToken(tokenPath),
  };
}

function readToken(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

function expandHome(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
}
