// A client of the API that reads a stream of server-sent events: each event with the time at which it was there. Every
// request has a connection of its own, which ends with it. It must not know what is asked.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { createParser } from 'eventsource-parser';

export interface TimedEvent {
  data: string;
  /** performance.now() */
  atMs: number;
}

/**
 * Posts a body and reads what comes, no faster than the caller takes it.
 * @throws Error with the API's words when it refuses; AbortError when `signal` is aborted
 */
export async function* postStream(
  url: string,
  body: object,
  signal: AbortSignal,
): AsyncGenerator<TimedEvent> {
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const asked = request(url, { method: 'POST', headers, agent: false, signal });
  asked.end(JSON.stringify(body));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`HTTP ${response.statusCode}: ${await text(response)}`);
  let events: TimedEvent[] = [];
  const parser = createParser({ onEvent: ({ data }) => events.push({ data, atMs: performance.now() }) });
  response.setEncoding('utf8');
  for await (const chunk of response) {
    parser.feed(String(chunk));
    yield* events;
    events = [];
  }
}
