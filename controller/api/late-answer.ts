// A whole answer that takes long: clients and proxies give up on a response without headers after one to five minutes.
// White space before JSON is none of it, so it keeps the connection alive. It must not know what is answered.
import type { FastifyReply } from 'fastify';

/** Beats of silence before the headers go out: until then an error still has its own status. */
const PATIENT_BEATS = 4;

export class LateAnswer {
  readonly #reply: FastifyReply;
  readonly #timer: NodeJS.Timeout;
  #beats = 0;

  constructor(reply: FastifyReply, beatMs: number) {
    this.#reply = reply;
    this.#timer = setInterval(() => this.#beat(), beatMs);
  }

  /** Whether the headers are out: what fails now can only be told by cutting the connection. */
  get hasBegun(): boolean {
    return this.#beats >= PATIENT_BEATS;
  }

  /** @returns what the route's handler is to return */
  end(answer: unknown): unknown {
    clearInterval(this.#timer);
    if (!this.hasBegun) return answer;
    this.#reply.raw.end(JSON.stringify(answer));
    return this.#reply;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    const { raw } = this.#reply;
    this.#beats += 1;
    if (!this.hasBegun || raw.destroyed) return;
    if (!raw.headersSent) {
      this.#reply.hijack();
      raw.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-cache' });
    }
    if (!raw.writableNeedDrain) raw.write(' ');
  }
}
