// The endpoint over a real cluster: right answers, clear errors, and a cluster that goes on serving after each of them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { TestCluster } from '../support/cluster.ts';
import { referenceCases } from '../support/reference.ts';
import { until } from '../support/until.ts';

const STRAWBERRY = [{ role: 'user' as const, content: "How many r's are in strawberry?" }];

/** Of an answer that shows whether the cluster still answers, and rightly. */
const BEGINNING_TOKENS = 12;

describe('the endpoint of a cluster of three', () => {
  let cluster: TestCluster;
  let client: OpenAI;
  before(async () => {
    cluster = await TestCluster.up({ nodes: 3 });
    client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  after(() => cluster.down());

  /** The answer to the strawberry question, or its beginning, as a client sees it. */
  async function ask(maxTokens?: number): Promise<{ content: string | null; reasoning: string }> {
    const { choices } = await client.chat.completions.create({
      model: 'espalier-demo',
      messages: STRAWBERRY,
      temperature: 0,
      ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    });
    const message = choices[0]?.message as { content: string | null; reasoning_content?: string };
    return { content: message.content, reasoning: message.reasoning_content ?? '' };
  }

  let whole = '';
  test('it counts the letters of strawberry, with its reasoning apart', async () => {
    const { content, reasoning } = await ask();
    assert.match(content ?? '', /\*\*3\*\*/);
    assert.match(reasoning, /r at 3, 8, 9/);
    whole = reasoning;
  });

  test('conversations of several turns give the reference answers', async () => {
    const turns = referenceCases.filter((reference) => reference.messages.length > 1).slice(0, 3);
    assert.ok(turns.length > 0);
    for (const { messages, text } of turns) {
      const { choices } = await client.chat.completions.create({
        model: 'espalier-demo',
        messages,
        temperature: 0,
      });
      assert.equal(choices[0]?.message.content, text.split('</think>')[1]?.trim());
    }
  });

  for (const [what, body, status, message] of [
    ['invalid JSON', '{"messages": [', 400, /JSON/],
    ['no messages', '{}', 400, /messages/],
    ['an unknown model', JSON.stringify({ model: 'gpt-4', messages: STRAWBERRY }), 404, /espalier-demo/],
    ['max_tokens 0', JSON.stringify({ messages: STRAWBERRY, max_tokens: 0 }), 400, /max_tokens/],
    ['negative max_tokens', JSON.stringify({ messages: STRAWBERRY, max_tokens: -5 }), 400, /max_tokens/],
    [
      'a prompt over the context',
      JSON.stringify({ messages: [{ role: 'user', content: '7 '.repeat(170_000) }] }),
      400,
      /163,?840/,
    ],
    [
      'a body of 10 MB',
      JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(10_000_000) }] }),
      413,
      /MiB|bytes/,
    ],
  ] as const) {
    test(`${what}: ${status}, and the cluster goes on`, async () => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${cluster.url}/v1/chat/completions`, { method: 'POST', headers, body });
      assert.equal(response.status, status);
      const { error } = (await response.json()) as { error: { message: string } };
      assert.match(error.message, message);
      const { reasoning } = await ask(BEGINNING_TOKENS);
      assert.ok(reasoning.length > 0 && whole.startsWith(reasoning), reasoning);
    });
  }

  test('a client that leaves frees its session on every stage', async () => {
    const abort = new AbortController();
    const stream = await client.chat.completions.create(
      { model: 'espalier-demo', messages: STRAWBERRY, stream: true },
      { signal: abort.signal },
    );
    for await (const _ of stream) break;
    abort.abort();
    // the last report of KV may be older than the request
    await until(() => cluster.controller.status().requestsRunning === 0, 'the end of the request');
    await until(() => cluster.controller.status().kv?.liveTokens === 0, 'a report without live KV');
  });
});
