// The KV of ended requests that is kept for the next turn of their conversations, as the head stage knows it: which
// tokens each session holds. Pure. What is kept, taken or given up here goes to all stages inside step frames.

export interface KeptSession {
  id: number;
  /** the tokens whose KV every stage holds, in order */
  tokens: readonly number[];
}

export class KeptSessions {
  /** least recently used first */
  readonly #sessions = new Map<number, KeptSession>();

  get count(): number {
    return this.#sessions.size;
  }

  all(): Iterable<KeptSession> {
    return this.#sessions.values();
  }

  /**
   * Adds a session as the most recently used one.
   * @returns the ids of sessions that have nothing which another one has not: the new one itself, or those it goes on from
   */
  keep(session: KeptSession): number[] {
    const needless: number[] = [];
    for (const other of this.#sessions.values()) {
      const common = commonLength(other.tokens, session.tokens);
      if (common === session.tokens.length) {
        this.touch(other.id);
        return [session.id];
      }
      if (common === other.tokens.length) needless.push(other.id);
    }
    for (const id of needless) this.remove(id);
    this.#sessions.set(session.id, session);
    return needless;
  }

  /** A session that is used now stays longest. */
  touch(id: number): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
  }

  /** Takes a session out; its KV is the caller's to use or to drop. */
  remove(id: number): void {
    this.#sessions.delete(id);
  }

  /** Takes out the least recently used session; undefined when there is none. */
  evict(): KeptSession | undefined {
    const [oldest] = this.#sessions.values();
    if (oldest) this.remove(oldest.id);
    return oldest;
  }
}

/** How many tokens two lists begin with alike. */
export function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length += 1;
  return length;
}
