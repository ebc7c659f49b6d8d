// A cluster for tests of the text side: replays a reference answer token by token, at a pace that the test sets.
import { setImmediate } from 'node:timers/promises';
import type { TokenSource } from '../../controller/token-source.ts';
import type { GenerateRequest, TokenEvent } from '../../protocol/generate.ts';
import { referenceCases } from '../support/reference.ts';

type Request = Omit<GenerateRequest, 'requestId'>;

export class ScriptedSource implements TokenSource {
  /** what was asked for, oldest first */
  readonly requests: Request[] = [];
  /** requests whose iteration has ended, by a finish or otherwise */
  ended = 0;
  /** tokens given, all requests together */
  given = 0;
  /** thrown instead of an answer */
  refusal: Error | undefined;
  /** awaited before each token with its index; may throw */
  pace: (index: number, signal: AbortSignal) => Promise<unknown> = () => setImmediate();
  /** the tokens of an answer; by default the reference answer to the prompt */
  script: (request: Request) => Iterable<number> = ({ promptIds }) => {
    const prompt = promptIds.join();
    return referenceCases.find(({ prompt_ids }) => prompt_ids.join() === prompt)?.greedy_ids ?? [];
  };

  /** what is told before a token, as while the cluster recovers; nothing by default */
  notice: (index: number) => string | undefined = () => undefined;

  async *generate(
    request: Request,
    signal: AbortSignal,
    onNotice?: (text: string) => void,
  ): AsyncGenerator<TokenEvent> {
    if (this.refusal) throw this.refusal;
    this.requests.push(request);
    const requestId = `request-${this.requests.length}`;
    let index = 0;
    try {
      for (const token of this.script(request)) {
        const notice = this.notice(index);
        if (notice !== undefined) onNotice?.(notice);
        await this.pace(index, signal);
        if (signal.aborted) return;
        this.given++;
        const finish = index + 1 === request.maxTokens ? 'length' : null;
        yield { requestId, index: index++, token, finish };
        if (finish) return;
      }
      yield { requestId, index, token: null, finish: 'stop' };
    } finally {
      this.ended++;
    }
  }
}

/** Waits until the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
