// The libraries that clients are built of, over HTTP against a real cluster: each gets the right answer in its own form,
// whole and as a stream, with its thinking, its calls of tools, its errors.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { generateText, streamText, tool } from 'ai';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { z } from 'zod';
import { TestCluster } from '../support/cluster.ts';
import type { ModelCopy } from '../support/model-copy.ts';
import { toolsModel } from '../support/tools-model.ts';

const QUESTION = "How many r's are in strawberry?";
const ASKED = [{ role: 'user' as const, content: QUESTION }];
const ANSWER = 'There are **3** letters r in strawberry.';
const THOUGHT = /r at 3, 8, 9\. That is 3\.$/;
const SCHEMA = {
  type: 'object',
  properties: { count: { type: 'integer' }, word: { enum: ['strawberry', 'apple'] } },
  required: ['count', 'word'],
  additionalProperties: false,
};
const Counted = z.object({ count: z.int(), word: z.enum(['strawberry', 'apple']) });

function assertCounted(json: string): void {
  Counted.parse(JSON.parse(json));
}

describe('the libraries of clients', () => {
  let model: ModelCopy;
  let cluster: TestCluster;
  let id: string;
  let openai: OpenAI;
  let anthropic: Anthropic;
  let ollama: Ollama;
  before(async () => {
    model = toolsModel();
    cluster = await TestCluster.up({ nodes: 2, modelDir: model.dir });
    id = cluster.controller.status().model?.id as string;
    openai = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: 'none', maxRetries: 0 });
    anthropic = new Anthropic({ baseURL: cluster.url, apiKey: 'none', maxRetries: 0 });
    ollama = new Ollama({ host: cluster.url });
  });
  after(async () => {
    await cluster.down();
    model.remove();
  });

  describe('openai', () => {
    const tools = [{ type: 'function' as const, function: { name: 'count', parameters: SCHEMA } }];

    test('chat: an answer in a schema, its log probabilities, several choices', async () => {
      const { choices } = await openai.chat.completions.create({
        model: id,
        messages: ASKED,
        n: 2,
        temperature: 0,
        logprobs: true,
        top_logprobs: 2,
        response_format: { type: 'json_schema', json_schema: { name: 'counted', schema: SCHEMA } },
      });
      assert.equal(choices.length, 2);
      for (const { message, logprobs } of choices) {
        assertCounted(message.content ?? '');
        assert.match((message as { reasoning_content?: string }).reasoning_content ?? '', THOUGHT);
        const tokens = logprobs?.content ?? [];
        assert.equal(tokens.map(({ token }) => token).join(''), message.content);
        for (const { logprob, bytes, top_logprobs } of tokens) {
          assert.ok(logprob <= 0 && bytes?.length && top_logprobs.length === 2);
        }
      }
    });

    test('chat: a tool that must be called, streamed, and the answer to its result', async () => {
      const runner = openai.chat.completions.stream({
        model: id,
        messages: ASKED,
        tools,
        tool_choice: { type: 'function', function: { name: 'count' } },
        reasoning_effort: 'none',
      });
      const { message, finish_reason } = (await runner.finalChatCompletion())
        .choices[0] as OpenAI.ChatCompletion.Choice;
      assert.equal(finish_reason, 'tool_calls');
      const [call] = message.tool_calls ?? [];
      assert.ok(call?.type === 'function' && message.tool_calls?.length === 1);
      assert.equal(call.function.name, 'count');
      assertCounted(call.function.arguments);
      const { choices } = await openai.chat.completions.create({
        model: id,
        messages: [...ASKED, message, { role: 'tool', tool_call_id: call.id, content: '3' }],
        tools,
        tool_choice: 'none',
        max_tokens: 5,
      });
      assert.equal(choices[0]?.finish_reason, 'length');
    });

    test('chat: no thinking where none is wanted, and thinking in the text where that is', async () => {
      const without = await openai.chat.completions.create({
        model: id,
        messages: ASKED,
        reasoning_effort: 'none',
        max_tokens: 10,
      });
      const message = without.choices[0]?.message as unknown as {
        reasoning_content: string | null;
        content: string;
      };
      assert.equal(message.reasoning_content, null);
      assert.notEqual(message.content, '');
      const inline = { model: id, messages: ASKED, temperature: 0, reasoning_format: 'none' };
      const { choices } = await openai.chat.completions.create(inline);
      assert.match(
        choices[0]?.message.content ?? '',
        /^<think>\n.*That is 3\.\n<\/think>\n\nThere are \*\*3\*\*/s,
      );
    });

    test('a prompt that was there before is reported as cached', async () => {
      const messages = [
        { role: 'user' as const, content: 'What is 616 plus 72? Think of it step by step, please.' },
      ];
      const ask = () => openai.chat.completions.create({ model: id, messages, max_tokens: 3 });
      await ask();
      assert.ok(((await ask()).usage?.prompt_tokens_details?.cached_tokens ?? 0) > 0);
    });

    test('responses: whole and as a stream, with the reasoning as an item', async () => {
      const body = { model: id, input: QUESTION, temperature: 0 };
      const whole = await openai.responses.create(body);
      assert.equal(whole.output_text, ANSWER);
      assert.deepEqual(
        whole.output.map(({ type }) => type),
        ['reasoning', 'message'],
      );
      assert.equal(whole.status, 'completed');
      const stream = openai.responses.stream(body);
      const types = new Set<string>();
      let sequence = -1;
      for await (const event of stream) {
        types.add(event.type);
        assert.equal(event.sequence_number, ++sequence);
      }
      const final = await stream.finalResponse();
      assert.equal(final.output_text, ANSWER);
      assert.ok(final.id !== '' && (final.usage?.total_tokens ?? 0) > 0);
      for (const type of [
        'response.created',
        'response.reasoning_text.delta',
        'response.output_text.delta',
      ]) {
        assert.ok(types.has(type), type);
      }
    });

    test('responses: a call of a tool', async () => {
      const { output } = await openai.responses.create({
        model: id,
        input: [{ role: 'user', content: QUESTION }],
        tools: [
          { type: 'function', name: 'count', parameters: SCHEMA, strict: true },
          { type: 'web_search' },
        ],
        tool_choice: { type: 'function', name: 'count' },
        reasoning: { effort: 'none' },
      });
      const call = output.find((item) => item.type === 'function_call');
      assertCounted(call?.arguments ?? '');
    });

    test('completions: texts go on, whole and as a stream', async () => {
      const { choices } = await openai.completions.create({
        model: id,
        prompt: ['9.11 and', '9.9 and'],
        max_tokens: 3,
        echo: true,
        temperature: 0,
      });
      assert.deepEqual(
        choices.map(({ text, index }) => [text.slice(0, 3), index]),
        [
          ['9.1', 0],
          ['9.9', 1],
        ],
      );
      const request = { model: id, prompt: '9.11 and', max_tokens: 3, temperature: 0, stream: true as const };
      let text = '9.11 and';
      for await (const chunk of await openai.completions.create(request))
        text += chunk.choices[0]?.text ?? '';
      assert.equal(text, choices[0]?.text);
    });

    test('its errors', async () => {
      const refused = { name: 'Error', status: 404, code: 'model_not_found' };
      await assert.rejects(openai.chat.completions.create({ model: 'gpt-4', messages: ASKED }), refused);
      const bad = { type: 'json_schema' as const, json_schema: { name: 'x', schema: { type: 'objekt' } } };
      await assert.rejects(
        openai.chat.completions.create({ model: id, messages: ASKED, response_format: bad }),
        ({ status, message }: InstanceType<typeof OpenAI.APIError>) =>
          status === 400 && /objekt/.test(message),
      );
      await assert.rejects(openai.embeddings.create({ model: id, input: 'x' }), { status: 501 });
    });
  });

  describe('anthropic', () => {
    const body = { model: 'x', max_tokens: 300, messages: ASKED, temperature: 0 };

    test('messages: whole, with the thinking as a block', async () => {
      const { content, stop_reason, usage } = await anthropic.messages.create({ ...body, model: id });
      assert.ok(content[0]?.type === 'thinking' && THOUGHT.test(content[0].thinking));
      assert.ok(content[1]?.type === 'text' && content[1].text === ANSWER);
      assert.equal(stop_reason, 'end_turn');
      assert.ok(usage.input_tokens + (usage.cache_read_input_tokens ?? 0) > 0);
    });

    test('messages: a stream that the library puts together again', async () => {
      const stream = anthropic.messages.stream({ ...body, model: id, stop_sequences: ['letters'] });
      const events: string[] = [];
      stream.on('streamEvent', ({ type }) => events.push(type));
      const { content, stop_reason, stop_sequence } = await stream.finalMessage();
      assert.ok(content[1]?.type === 'text' && content[1].text === 'There are **3** ');
      assert.deepEqual([stop_reason, stop_sequence], ['stop_sequence', 'letters']);
      assert.equal(events[0], 'message_start');
      assert.equal(events.at(-1), 'message_stop');
    });

    test('messages: a tool that must be called, streamed, and its result', async () => {
      const tools = [{ name: 'count', input_schema: SCHEMA as Anthropic.Tool.InputSchema }];
      const common = { ...body, model: id, tools, thinking: { type: 'disabled' as const } };
      const { content, stop_reason } = await anthropic.messages
        .stream({ ...common, tool_choice: { type: 'tool', name: 'count' } })
        .finalMessage();
      assert.equal(stop_reason, 'tool_use');
      const [use] = content;
      assert.ok(use?.type === 'tool_use');
      Counted.parse(use.input);
      const result = { type: 'tool_result' as const, tool_use_id: use.id, content: '3' };
      const messages = [
        ...ASKED,
        { role: 'assistant' as const, content },
        { role: 'user' as const, content: [result] },
      ];
      const next = await anthropic.messages.create({ ...common, messages, max_tokens: 4 });
      assert.equal(next.stop_reason, 'max_tokens');
    });

    test('tokens are counted, models are listed, errors are its own', async () => {
      const { input_tokens } = await anthropic.messages.countTokens({ model: id, messages: ASKED });
      assert.equal(input_tokens, 15);
      const { data } = await anthropic.models.list({ limit: 1000 });
      assert.equal(data[0]?.id, id);
      await assert.rejects(
        anthropic.messages.create({ ...body, model: 'claude' }),
        (error: unknown) => error instanceof Anthropic.NotFoundError && /not_found_error/.test(error.message),
      );
    });
  });

  describe('ollama', () => {
    const options = { temperature: 0, num_ctx: 4096 };

    test('chat: whole and as a stream, with its thinking apart', async () => {
      const request = { model: `${id}:latest`, messages: ASKED, options };
      const { message, done_reason, eval_count } = await ollama.chat(request);
      assert.equal(message.content, ANSWER);
      assert.match(message.thinking ?? '', THOUGHT);
      assert.equal(done_reason, 'stop');
      assert.ok(eval_count > 0);
      const texts = { content: '', thinking: '' };
      let last = '?';
      for await (const part of await ollama.chat({ ...request, stream: true })) {
        texts.content += part.message.content;
        texts.thinking += part.message.thinking ?? '';
        last = part.message.content;
      }
      assert.equal(texts.content, ANSWER);
      assert.match(texts.thinking, THOUGHT);
      assert.equal(last, '', 'the last line says nothing but how it ended');
    });

    test('generate, a format, what there is, and its errors', async () => {
      const request = { model: id, prompt: QUESTION, options, think: false };
      assertCounted((await ollama.generate({ ...request, format: SCHEMA })).response ?? '');
      const { models } = await ollama.list();
      assert.equal(models[0]?.name, id);
      assert.deepEqual((await ollama.show({ model: id })).capabilities, ['completion', 'tools', 'thinking']);
      assert.equal((await ollama.ps()).models.length, 1);
      await assert.rejects(ollama.generate({ ...request, model: 'llama' }), {
        status_code: 404,
        error: /no model "llama"/,
      });
      await assert.rejects(ollama.embed({ model: id, input: 'x' }), { status_code: 501 });
    });
  });

  describe('the AI SDK', () => {
    const tools = () => ({
      count: tool({ description: 'counts', inputSchema: Counted, execute: async () => 'three' }),
    });

    test('over chat completions: a stream with its reasoning, and a tool that must be called', async () => {
      const provider = createOpenAICompatible({ name: 'espalier', baseURL: `${cluster.url}/v1` });
      const chat = provider(id);
      const stream = streamText({ model: chat, prompt: QUESTION, temperature: 0 });
      assert.equal(await stream.text, ANSWER);
      assert.match((await stream.reasoningText) ?? '', THOUGHT);
      const forced = {
        model: chat,
        prompt: QUESTION,
        tools: tools(),
        toolChoice: { type: 'tool' as const, toolName: 'count' as const },
      };
      const { toolCalls } = await generateText(forced);
      Counted.parse(toolCalls[0]?.input);
    });

    test('over responses: text', async () => {
      const responses = createOpenAI({ baseURL: `${cluster.url}/v1`, apiKey: 'none' }).responses(id);
      const { text } = await generateText({ model: responses, prompt: QUESTION, temperature: 0 });
      assert.equal(text, ANSWER);
    });
  });
});
