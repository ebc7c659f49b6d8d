// A request that runs: its text, how much of it went into steps, and the queue in which it waits for the next one. Pure.
import type { GenerateRequest } from '../../protocol/generate.ts';
import { Guesses } from './guesses.ts';

export interface Session {
  id: number;
  request: GenerateRequest;
  /** the prompt and the answer so far */
  tokens: number[];
  /** how many of them went into steps */
  sent: number;
  /** how many of them are surely in every stage's KV: the steps with them came back, and no stage found a fault */
  settled: number;
  /** the last step before it gave up its KV: what this one and those before it wrote is gone */
  forgottenAt: number;
  /** its next token is on its way */
  isAwaiting: boolean;
  /** the tokens after `tokens` that were guessed and are on their way; `sent` counts them as well */
  guesses: Guesses;
  /** how often they were wrong */
  cuts: number;
}

/** @param sent how many of the tokens are in every stage's KV already */
export function newSession(id: number, request: GenerateRequest, tokens: number[], sent: number): Session {
  return {
    id,
    request,
    tokens,
    sent,
    settled: sent,
    forgottenAt: 0,
    isAwaiting: false,
    guesses: new Guesses(),
    cuts: 0,
  };
}

/** Where sessions wait for their next row; one whose token is on its way is in none of them. */
export class SessionQueues {
  /** sessions of which more than the newest token is not sent, taken in turn */
  readonly prefilling: Session[] = [];
  /** sessions whose newest token alone is not sent, in the order in which it came */
  readonly decodable: Session[] = [];
  /** sessions that had to give up their KV, which is computed again when there is room */
  readonly paused: Session[] = [];

  /** Takes a session out of all of them. */
  leave(session: Session): void {
    for (const queue of [this.prefilling, this.decodable, this.paused]) {
      const place = queue.indexOf(session);
      if (place >= 0) queue.splice(place, 1);
    }
  }
}
