// The KV of one attention module: for each session two buffers that grow in blocks (keys and values; or, in latent
// attention, latents and rotated keys). Positions are written in order. It must not know what the buffers mean.
import { ALL, mx, type Tensor } from './mlx.ts';
import type { Row } from './step.ts';

/** Tokens a growth adds. Larger blocks waste more of the last one; each growth copies once. */
const BLOCK_TOKENS = 256;

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
  const wanted = Math.ceil(tokens / BLOCK_TOKENS) * BLOCK_TOKENS;
  const [, heads = 1, , dims = 0] = like.shape;
  const more = mx.zeros([1, heads, wanted - capacity, dims], like.dtype);
  return buffer ? mx.concatenate([buffer, more], 2) : more;
}

function upTo(buffer: Tensor, end: number): Tensor {
  return buffer.index('...', mx.Slice(0, end), ALL);
}
