// A short conversation on a WebSocket, word for word in turn, each side with one schema, small messages and one deadline
// for the whole of it. It must not know what is said.
import type { WebSocket } from 'ws';
import type { z } from 'zod';

/** Words that came before they were asked for: the other side never has reason to be ahead by more. */
const MAX_QUEUED = 4;

export class TalkEnded extends Error {}

/** `Hears`: what the other side may say; `Says`: what this one does. */
export class Talk<Hears extends { kind: string }, Says extends { kind: string }> {
  readonly #socket: WebSocket;
  readonly #queue: Hears[] = [];
  #waiting: PromiseWithResolvers<Hears> | undefined;
  #ended: TalkEnded | undefined;

  /** @param timeoutMs for the whole conversation, after which the socket is closed */
  constructor(socket: WebSocket, schema: z.ZodType<Hears>, timeoutMs: number) {
    this.#socket = socket;
    const timer = setTimeout(() => this.#end(`it took more than ${timeoutMs / 1000} s`), timeoutMs);
    socket.on('error', (error) => this.#end(error.message));
    socket.on('close', () => {
      clearTimeout(timer);
      this.#end('the other side closed the connection');
    });
    socket.on('message', (data) => {
      const word = parse(data.toString(), schema);
      if (!word) this.#end('the other side said what is not known here');
      else if (this.#waiting) this.#waiting.resolve(word);
      else if (this.#queue.push(word) > MAX_QUEUED) this.#end('the other side does not wait its turn');
      this.#waiting = undefined;
    });
  }

  /** The next word. @throws TalkEnded when none comes any more */
  next(): Promise<Hears> {
    const queued = this.#queue.shift();
    if (queued) return Promise.resolve(queued);
    if (this.#ended) return Promise.reject(this.#ended);
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  say(word: Says): void {
    this.#socket.send(JSON.stringify(word), () => undefined);
  }

  /** Says the last word and closes; the other side has a second to answer that. */
  close(word?: Says): void {
    if (word) this.say(word);
    this.#socket.close();
    setTimeout(() => this.#socket.terminate(), 1_000).unref();
  }

  #end(reason: string): void {
    this.#ended ??= new TalkEnded(reason);
    this.#waiting?.reject(this.#ended);
    this.#waiting = undefined;
    this.#socket.terminate();
  }
}

function parse<T>(text: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
