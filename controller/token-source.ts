// What the API needs of the cluster: token ids in, token events out. The API must not know nodes, plans or epochs.
import type { GenerateRequest, TokenEvent } from '../protocol/generate.ts';

export interface TokenSource {
  /**
   * Starts one generation. Tokens arrive in order of their index; the last event has a `finish`.
   * Breaking off the iteration or aborting `signal` cancels it on the stages.
   * While the cluster recovers from a loss the tokens pause, and `onNotice` is told why, and when they go on.
   * `client` is the program that asks, for whoever looks at the status.
   * @throws EspalierError while iterating: not_ready, queue_full, stage_lost, engine_failed, …
   */
  generate(
    request: Omit<GenerateRequest, 'requestId'>,
    signal: AbortSignal,
    onNotice?: (text: string) => void,
    client?: string,
  ): AsyncIterable<TokenEvent>;
}
