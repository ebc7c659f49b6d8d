// The keys of the API's clients, kept in the controller's home as hashes: a key is shown once, when it is made. It must not
// know what a key opens.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import { readOwnFile, writeOwnFile } from '../../protocol/home-files.ts';
import { MAX_API_KEYS } from '../../protocol/limits.ts';

const PREFIX = 'espalier-';
/** Nobody guesses so many random bytes: that is why one plain hash is enough. */
const KEY_BYTES = 32;

const KeyName = z
  .string()
  .regex(/^[\w.@ -]{1,60}$/, 'a name has 1 to 60 letters, digits, spaces, dots and dashes');

/** How a client is shown the thinking where its request does not say: in fields of their own, in the text, or not at all. */
export const KEY_THINKING = ['apart', 'inline', 'hidden'] as const;

/** What a key is for. */
export interface KeyPurpose {
  /** may change the cluster */
  isAdmin: boolean;
  thinking?: (typeof KEY_THINKING)[number] | undefined;
}

const ApiKey = z.object({
  name: KeyName,
  isAdmin: z.boolean(),
  thinking: z.enum(KEY_THINKING).optional(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.iso.datetime(),
});
export type ApiKey = z.infer<typeof ApiKey>;

const File = z.array(ApiKey).max(MAX_API_KEYS);

export class ApiKeys {
  readonly #path: string;
  #keys: readonly ApiKey[] = [];
  /** of the file that was read last */
  #version = '';

  constructor(home: string) {
    this.#path = join(home, 'keys.json');
  }

  /** What there is now, also when a command has just changed it. @throws EspalierError home_damaged */
  list(): readonly ApiKey[] {
    const version = versionOf(this.#path);
    if (version === this.#version) return this.#keys;
    const text = readOwnFile(this.#path);
    try {
      this.#keys = text === undefined ? [] : File.parse(JSON.parse(text));
    } catch {
      throw new EspalierError(
        'home_damaged',
        `${this.#path} is damaged: it holds the API's keys. Remove it, and make new ones.`,
      );
    }
    this.#version = version;
    return this.#keys;
  }

  /**
   * @param name by which it is revoked
   * @returns the key itself, which is kept nowhere
   * @throws EspalierError bad_option for a name that is taken or none, home_not_writable, home_damaged
   */
  create(name: string, { isAdmin, thinking }: KeyPurpose): string {
    const checked = KeyName.safeParse(name);
    if (!checked.success)
      throw new EspalierError('bad_option', `"${name}": ${checked.error.issues[0]?.message}`);
    const keys = this.list();
    if (keys.some((key) => key.name === name))
      throw new EspalierError(
        'bad_option',
        `there is a key "${name}" already: revoke it first, or take another name`,
      );
    if (keys.length >= MAX_API_KEYS)
      throw new EspalierError('bad_option', `there are ${MAX_API_KEYS} keys: revoke some first`);
    const key = PREFIX + randomBytes(KEY_BYTES).toString('base64url');
    const createdAt = new Date().toISOString();
    this.#write([...keys, { name, isAdmin, thinking, sha256: hash(key).toString('hex'), createdAt }]);
    return key;
  }

  /** From now on it opens nothing. @throws EspalierError bad_option when there is none of that name */
  revoke(name: string): void {
    const keys = this.list();
    const left = keys.filter((key) => key.name !== name);
    if (left.length === keys.length)
      throw new EspalierError('bad_option', `there is no key "${name}": \`espalier key list\` shows them`);
    this.#write(left);
  }

  /** The key's record; undefined when it is none. It takes as long for a wrong one as for a right one. */
  find(key: string): ApiKey | undefined {
    const given = hash(key);
    let found: ApiKey | undefined;
    for (const known of this.list())
      if (timingSafeEqual(Buffer.from(known.sha256, 'hex'), given)) found = known;
    return found;
  }

  #write(keys: readonly ApiKey[]): void {
    writeOwnFile(this.#path, `${JSON.stringify(keys, null, 2)}\n`);
  }
}

function hash(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** Another one after each change: a changed file is a new one. */
function versionOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats ? `${stats.ino} ${stats.mtimeNs} ${stats.size} ${stats.mode}` : 'none';
}
