// A small real HTTP server that answers chat completions in the OpenAI dialect, as a test scripts it.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface ChatServer {
  url: string;
  /** the bodies that were posted */
  requests: { messages: { role: string; content: string }[]; [field: string]: unknown }[];
  close(): Promise<void>;
}

export type Reply = (response: ServerResponse, request: IncomingMessage) => void | Promise<void>;

/** One server-sent event in the form of a chunk. */
export function chunk(delta: Record<string, string>, finish: string | null = null): string {
  return `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
}

/** A whole answer: thinking, content, the end with its usage. */
export function answer(reasoning: readonly string[], content: readonly string[], finish = 'stop'): Reply {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chunk({ role: 'assistant' }));
    response.write(': a beat\n\n');
    for (const text of reasoning) response.write(chunk({ reasoning_content: text }));
    for (const text of content) response.write(chunk({ content: text }));
    response.write(chunk({}, finish));
    response.write(`data: ${JSON.stringify({ choices: [], usage: { completion_tokens: 7 } })}\n\n`);
    response.end('data: [DONE]\n\n');
  };
}

/** An error in the API's form. */
export function refusal(status: number, message: string): Reply {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message, type: 'invalid_request_error', code: 'x' } }));
  };
}

/** @param replies one for each request, the last one for all that follow */
export async function startChatServer(...replies: Reply[]): Promise<ChatServer> {
  const requests: ChatServer['requests'] = [];
  const http = createServer(async (request, response) => {
    if (request.method !== 'POST' || request.url !== '/v1/chat/completions') {
      response.writeHead(404).end();
      return;
    }
    let body = '';
    for await (const part of request) body += part;
    requests.push(JSON.parse(body));
    await (replies[requests.length - 1] ?? replies.at(-1))?.(response, request);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    requests,
    async close() {
      const closed = new Promise((resolve) => http.close(resolve));
      http.closeAllConnections();
      await closed;
    },
  };
}
