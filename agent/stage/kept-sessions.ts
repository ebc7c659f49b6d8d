// The KV of ended requests that is kept for the next turn of their conversations, as the head stage knows it: which
// tokens each session holds. Pure. What is kept, taken or given up here goes to all stages inside step frames.

export interface KeptSession {
  id: number;
  /** the tokens whose KV every stage holds, in order */
  tokens: readonly number[];
}

/** A kept session that begins as a new prompt does. */
export interface Match {
  session: KeptSession;
  /** tokens that both begin with; always fewer than the prompt has, because the last one must be computed */
  length: number;
}

export class KeptSessions {
  /** least recently used first */
  readonly #sessions = new Map<number, KeptSession>();
  #tokens = 0;

  get count(): number {
    return this.#sessions.size;
  }

  /** tokens of KV that are kept, on each stage */
  get tokens(): number {
    return this.#tokens;
  }

  keep(session: KeptSession): void {
    this.#sessions.set(session.id, session);
    this.#tokens += session.tokens.length;
  }

  /** The session that shares the longest beginning with a prompt; undefined when none shares `atLeast` tokens. */
  match(promptIds: readonly number[], atLeast: number): Match | undefined {
    let best: Match | undefined;
    for (const session of this.#sessions.values()) {
      const length = commonLength(session.tokens, promptIds);
      if (length >= atLeast && length >= (best?.length ?? 1)) best = { session, length };
    }
    return best;
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
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    this.#tokens -= session.tokens.length;
  }

  /** Takes out the least recently used session; undefined when there is none. */
  evict(): KeptSession | undefined {
    const [oldest] = this.#sessions.values();
    if (oldest) this.remove(oldest.id);
    return oldest;
  }
}

function commonLength(kept: readonly number[], prompt: readonly number[]): number {
  const most = Math.min(kept.length, prompt.length - 1);
  let length = 0;
  while (length < most && kept[length] === prompt[length]) length += 1;
  return length;
}
