// The requests that have no session yet, in the order in which they begin: what nobody waits for comes after all others.
// Pure.
import { EspalierError } from '../../protocol/errors.ts';
import type { GenerateRequest } from '../../protocol/generate.ts';

export class WaitingRequests {
  readonly #most: number;
  readonly #requests: GenerateRequest[] = [];

  /** @param most how many may wait */
  constructor(most: number) {
    this.#most = most;
  }

  get count(): number {
    return this.#requests.length;
  }

  /** Whose turn it is. */
  get first(): GenerateRequest | undefined {
    return this.#requests[0];
  }

  /**
   * Takes a request into the queue. Its answer ends where the KV of all stages does, even if nobody else is there.
   * @param totalTokens of KV that all stages have room for
   * @throws EspalierError queue_full, kv_full, invalid_request
   */
  add(request: GenerateRequest, totalTokens: number): void {
    if (this.count >= this.#most) {
      throw new EspalierError('queue_full', `${this.count} requests are waiting already`);
    }
    const { promptIds, generatedIds = [], maxTokens, isBackground } = request;
    if (generatedIds.length >= maxTokens) {
      throw new EspalierError('invalid_request', `the answer has its ${maxTokens} tokens already`);
    }
    const roomTokens = totalTokens - promptIds.length;
    if (roomTokens <= generatedIds.length) {
      const what = `a prompt of ${promptIds.length + generatedIds.length} tokens does not fit`;
      throw new EspalierError(
        'kv_full',
        `${what}: the stages have KV for ${totalTokens}, the answer included`,
      );
    }
    const behind = isBackground ? -1 : this.#requests.findIndex((other) => other.isBackground);
    const place = behind < 0 ? this.count : behind;
    this.#requests.splice(place, 0, { ...request, maxTokens: Math.min(maxTokens, roomTokens) });
  }

  /** Takes out the first one. */
  shift(): void {
    this.#requests.shift();
  }

  /** Takes out a request, if it is there. */
  remove(requestId: string): void {
    const place = this.#requests.findIndex((request) => request.requestId === requestId);
    if (place >= 0) this.#requests.splice(place, 1);
  }

  clear(): void {
    this.#requests.length = 0;
  }
}
