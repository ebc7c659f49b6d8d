// The KV of one attention module: for each session two buffers that grow in blocks (keys and values; or, in latent
// attention, latents and rotated keys). Positions are written in order. It must not know what the buffers mean.
import { kvCapacity } from '../../protocol/limits.ts';
import { ALL, mx, type Tensor } from './mlx.ts';
import type { Row, SessionSource } from './step.ts';

/** The two buffers of one session, each [1, heads, capacity, dims]. */
type Buffers = readonly [Tensor, Tensor];

export class KvCache {
  readonly #sessions = new Map<number, Buffers>();

  /**
   * Writes a row's tokens at its position, and returns the session's two buffers up to their end.
   * @param values two tensors [1, heads, row.count, dims]; heads and dims may differ between the two
   * @returns two tensors [1, heads, row.position + row.count, dims]
   */
  append({ session, position, count }: Row, values: Buffers): Buffers {
    const old = this.#sessions.get(session);
    const end = position + count;
    const first = write(old?.[0], position, end, values[0]);
    const second = write(old?.[1], position, end, values[1]);
    this.#sessions.set(session, [first, second]);
    return [upTo(first, end), upTo(second, end)];
  }

  /** The buffers that a step with these rows has written. */
  written(rows: readonly Row[]): Tensor[] {
    return rows.flatMap(({ session }) => this.#sessions.get(session) ?? []);
  }

  /** Forgets a session. */
  drop(session: number): void {
    this.#sessions.delete(session);
  }

  /**
   * Gives a new session the first tokens of another one, as a copy, or with `take` the buffers themselves.
   * @returns the buffers that are to be evaluated at once: while a copy is pending, the source's next token would have
   *   to copy all of it, too
   */
  adopt(session: number, { session: source, length, take }: SessionSource): Tensor[] {
    const buffers = this.#sessions.get(source);
    if (!buffers) throw new RangeError(`session ${source} has no KV`);
    if (take) this.#sessions.delete(source);
    const isFitting = take && buffers[0].shape[2] === kvCapacity(length);
    const own: Buffers = isFitting ? buffers : [copy(buffers[0], length), copy(buffers[1], length)];
    this.#sessions.set(session, own);
    return isFitting ? [] : [...own];
  }

  /** Forgets a session's tokens from `length` on. @returns what is to be evaluated, as for `adopt` */
  trim(session: number, length: number): Tensor[] {
    if (length > 0) return this.adopt(session, { session, length, take: true });
    this.drop(session);
    return [];
  }

  get byteLength(): number {
    let sum = 0;
    for (const [first, second] of this.#sessions.values()) sum += first.nbytes + second.nbytes;
    return sum;
  }
}

function write(buffer: Tensor | undefined, begin: number, end: number, values: Tensor): Tensor {
  const grown = withCapacity(buffer, end, values);
  // in place as long as no older view of the buffer is alive: views die with the step that made them
  grown.indexPut_(['...', mx.Slice(begin, end), ALL], values);
  return grown;
}

function withCapacity(buffer: Tensor | undefined, tokens: number, like: Tensor): Tensor {
  const capacity = buffer?.shape[2] ?? 0;
  if (buffer && capacity >= tokens) return buffer;
  const [, heads = 1, , dims = 0] = like.shape;
  const more = mx.zeros([1, heads, kvCapacity(tokens) - capacity, dims], like.dtype);
  return buffer ? mx.concatenate([buffer, more], 2) : more;
}

/** The first tokens in a buffer of their own. */
function copy(buffer: Tensor, tokens: number): Tensor {
  const [, heads = 1, , dims = 0] = buffer.shape;
  // never empty: joining makes a new buffer, where a slice alone would hold on to the old one
  const rest = mx.zeros([1, heads, kvCapacity(tokens + 1) - tokens, dims], buffer.dtype);
  return mx.concatenate([upTo(buffer, tokens), rest], 2);
}

function upTo(buffer: Tensor, end: number): Tensor {
  return buffer.index('...', mx.Slice(0, end), ALL);
}
