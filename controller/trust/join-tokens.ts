// The join tokens that this controller made: one file each in its home, so that a command may make one while the
// controller runs. Each counts once and for a day. It must not know who uses it.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { EspalierError } from '../../protocol/errors.ts';
import { readOwnFile, removeOwnFile, writeOwnFile } from '../../protocol/home-files.ts';
import type { Fingerprint } from '../../protocol/identity.ts';
import { type JoinToken, joinTokenId, newJoinToken } from '../../protocol/join-token.ts';
import { JOIN_TOKEN_MS, MAX_JOIN_TOKENS } from '../../protocol/limits.ts';

/** `secret` goes when it was used: what is left says why it does not count. */
const File = z.object({ secret: z.string().nullable(), untilMs: z.number(), usedBy: z.string().nullable() });
type File = z.infer<typeof File>;

/** What became of tokens is forgotten after a month. */
const REMEMBERED_MS = 30 * 86_400_000;

export class JoinTokens {
  readonly #folder: string;
  readonly #controller: Fingerprint;
  readonly #now: () => number;

  /** @param now the time of day: tokens outlive the process */
  constructor(home: string, controller: Fingerprint, now: () => number = Date.now) {
    this.#folder = join(home, 'tokens');
    this.#controller = controller;
    this.#now = now;
  }

  /** @throws EspalierError home_not_writable; bad_option at MAX_JOIN_TOKENS */
  create(): JoinToken {
    const files = this.#all();
    for (const [id, { untilMs }] of files) if (untilMs + REMEMBERED_MS < this.#now()) this.#remove(id);
    const counting = files.filter(([, file]) => file.secret !== null && file.untilMs > this.#now());
    if (counting.length >= MAX_JOIN_TOKENS) {
      throw new EspalierError(
        'bad_option',
        `${MAX_JOIN_TOKENS} join tokens wait to be used: use them, or remove ${this.#folder}`,
      );
    }
    const token = newJoinToken(this.#controller);
    this.#write(joinTokenId(token), {
      secret: token.secret,
      untilMs: this.#now() + JOIN_TOKEN_MS,
      usedBy: null,
    });
    return token;
  }

  /** The secret of a token that counts; else why it does not; undefined when it is none of this controller's. */
  look(id: string): { secret: string } | { why: string } | undefined {
    const file = this.#read(id);
    if (!file) return undefined;
    if (file.usedBy !== null) return { why: `the join token was used by node ${file.usedBy} already` };
    if (file.untilMs <= this.#now() || file.secret === null)
      return { why: `the join token has expired on ${new Date(file.untilMs).toISOString()}` };
    return { secret: file.secret };
  }

  /** From now on it does not count. @throws EspalierError home_not_writable */
  use(id: string, nodeName: string): void {
    const file = this.#read(id);
    if (file) this.#write(id, { ...file, secret: null, usedBy: nodeName });
  }

  /** A token that nobody used does not count any more, and leaves no trace; one that was used stays. @throws EspalierError home_not_writable */
  takeBack(id: string): void {
    if (this.#read(id)?.usedBy === null) this.#remove(id);
  }

  /** All that nobody used. @throws EspalierError home_not_writable */
  takeBackAll(): void {
    for (const [id] of this.#all()) this.takeBack(id);
  }

  #all(): [string, File][] {
    let names: string[] = [];
    try {
      names = readdirSync(this.#folder);
    } catch {
      return []; // there were none yet
    }
    return names.flatMap((name): [string, File][] => {
      const id = /^([0-9a-f]{16})\.json$/.exec(name)?.[1];
      const file = id === undefined ? undefined : this.#read(id);
      return id !== undefined && file ? [[id, file]] : [];
    });
  }

  /** A damaged one is none. @throws EspalierError home_damaged when others could have read it */
  #read(id: string): File | undefined {
    const text = readOwnFile(this.#path(id));
    try {
      return text === undefined ? undefined : File.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }

  #write(id: string, file: File): void {
    writeOwnFile(this.#path(id), `${JSON.stringify(file)}\n`);
  }

  #remove(id: string): void {
    removeOwnFile(this.#path(id));
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}
