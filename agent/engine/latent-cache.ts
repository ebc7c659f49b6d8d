// The KV of one session in one layer of multi-head latent attention: the compressed latents and the rotated keys that
// all heads share. Grows in blocks; positions are written in order, and a shorter length forgets what follows.
import { ALL, mx, type Tensor } from './mlx.ts';

/** Tokens a growth adds. Larger blocks waste more of the last one; each growth copies once. */
const BLOCK_TOKENS = 256;

export class LatentCache {
  #latents: Tensor | undefined; // [1, 1, capacity, loraRank]
  #keys: Tensor | undefined; // [1, 1, capacity, ropeDims]

  /**
   * Writes the tokens at `position` and after, and returns all up to their end.
   * @param latents [1, 1, tokens, loraRank] @param keys [1, 1, tokens, ropeDims]
   */
  append(position: number, latents: Tensor, keys: Tensor): { latents: Tensor; keys: Tensor } {
    const end = position + (latents.shape[2] ?? 0);
    this.#latents = write(this.#latents, position, end, latents);
    this.#keys = write(this.#keys, position, end, keys);
    return { latents: upTo(this.#latents, end), keys: upTo(this.#keys, end) };
  }

  get tensors(): Tensor[] {
    return this.#latents && this.#keys ? [this.#latents, this.#keys] : [];
  }

  get byteLength(): number {
    return this.tensors.reduce((sum, tensor) => sum + tensor.nbytes, 0);
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
  const more = mx.zeros([1, 1, wanted - capacity, like.shape[3] ?? 0], like.dtype);
  return buffer ? mx.concatenate([buffer, more], 2) : more;
}

function upTo(buffer: Tensor, end: number): Tensor {
  return buffer.index('...', mx.Slice(0, end), ALL);
}
