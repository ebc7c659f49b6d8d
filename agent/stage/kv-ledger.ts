// Who holds how much of the KV that every stage has room for, in tokens. Pure: the head's scheduler keeps it, and what
// it says holds on all stages, because all of them do the same session operations in the same order.
import { kvCapacity } from '../../protocol/limits.ts';

export class KvLedger {
  /** whole blocks */
  readonly capacityTokens: number;
  readonly #held = new Map<number, number>();
  #heldTokens = 0;

  /** @param tokens that the smallest stage has room for */
  constructor(tokens: number) {
    const blocks = kvCapacity(tokens);
    this.capacityTokens = blocks <= tokens ? blocks : blocks - kvCapacity(1);
  }

  get freeTokens(): number {
    return this.capacityTokens - this.#heldTokens;
  }

  /** Tokens that a session holds, in whole blocks. */
  of(session: number): number {
    return this.#held.get(session) ?? 0;
  }

  /** Lets a session hold at least `tokens`. @returns false where they are not free; nothing changes then */
  reserve(session: number, tokens: number): boolean {
    const more = kvCapacity(tokens) - this.of(session);
    if (more > this.freeTokens) return false;
    if (more > 0) this.#set(session, kvCapacity(tokens));
    return true;
  }

  /** Lets a session hold no more than `tokens`. */
  shrink(session: number, tokens: number): void {
    if (kvCapacity(tokens) < this.of(session)) this.#set(session, kvCapacity(tokens));
  }

  /** What one session held is another's now. */
  move(from: number, to: number): void {
    const tokens = this.of(from);
    this.#set(from, 0);
    this.#set(to, tokens);
  }

  release(session: number): void {
    this.#set(session, 0);
  }

  #set(session: number, tokens: number): void {
    this.#heldTokens += tokens - this.of(session);
    if (tokens > 0) this.#held.set(session, tokens);
    else this.#held.delete(session);
  }
}
