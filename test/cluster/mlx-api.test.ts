// What clients meet on a cluster on MLX Distributed, over HTTP: their libraries get the right answers in their own forms,
// what ends mlx-lm's own server is answered or refused, and a stored model in several files comes to every rank whole.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { streamText } from 'ai';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import {
  DEPLOYMENT_PATH,
  DeploymentReport,
  MODELS_PATH,
  ModelsReport,
  PULL_MODEL_PATH,
  PullAnswer,
  type PullProgress,
  SwitchAnswer,
} from '../../protocol/models.ts';
import { DEFAULT_PLANNING } from '../../protocol/plan.ts';
import { PLAN_PATH, PlanReport } from '../../protocol/plan-report.ts';
import { TRACE_PATH, TraceMetadata } from '../../protocol/trace.ts';
import { LocalHub } from '../../scripts/hub/local-hub.ts';
import { shardModel } from '../../scripts/hub/shard-model.ts';
import { TestCluster } from '../support/cluster.ts';
import { noMlx, testEnginesDir } from '../support/mlx.ts';
import type { ModelCopy } from '../support/model-copy.ts';
import { demoModelDir } from '../support/paths.ts';
import { referenceCases } from '../support/reference.ts';
import { toolsModel } from '../support/tools-model.ts';
import { until } from '../support/until.ts';

const skip = await noMlx();
const QUESTION = "How many r's are in strawberry?";
const ASKED = [{ role: 'user' as const, content: QUESTION }];
const ANSWER = 'There are **3** letters r in strawberry.';
const THOUGHT = /r at 3, 8, 9\. That is 3\.$/;
const SCHEMA = { type: 'object', properties: { count: { type: 'integer' } }, required: ['count'] };
const REPO = 'tests/apart-demo';
/** Of twelve layers. */
const LAYERS = [7, 5];

/**
 * Embedding and head in files of their own, and a file that ends in the middle of the other rank's first layer, between what
 * mlx-lm takes to be together.
 */
function shardOf(tensor: string): number {
  if (tensor.startsWith('model.embed_tokens')) return 0;
  const layer = /^model\.layers\.(\d+)\./.exec(tensor)?.[1];
  if (layer === undefined) return 3;
  const isTorn = /layers\.7\.self_attn\.kv_b_proj\.(weight|scales)$/.test(tensor);
  return Number(layer) < 7 || isTorn ? 1 : 2;
}

describe('clients of a cluster on MLX Distributed', { skip, timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-mlx-api-'));
  let model: ModelCopy;
  let hub: LocalHub;
  let cluster: TestCluster;
  let id: string;
  let openai: OpenAI;
  before(async () => {
    model = toolsModel();
    await shardModel({ from: demoModelDir, to: join(folder, 'repo'), shards: 4, shardOf });
    hub = await LocalHub.up({ repos: { [REPO]: join(folder, 'repo') } });
    process.env.HF_ENDPOINT = hub.url;
    cluster = await TestCluster.up({
      nodes: 2,
      modelDir: model.dir,
      enginesDir: testEnginesDir,
      stores: { folder },
      planning: {
        ...DEFAULT_PLANNING,
        engine: { choice: 'mlx-distributed', split: 'pipeline' },
        layers: LAYERS,
      },
    });
    id = cluster.controller.status().model?.id as string;
    openai = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  after(async () => {
    await cluster?.down();
    await hub?.down();
    delete process.env.HF_ENDPOINT;
    model?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const get = async (path: string): Promise<unknown> => (await fetch(`${cluster.url}${path}`)).json();
  /** @returns status, and the message of an error */
  const posted = async (path: string, body: object): Promise<[number, string]> => {
    const response = await fetch(`${cluster.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: id, ...body }),
    });
    const text = await response.text();
    return [response.status, response.ok ? '' : text];
  };
  const short = { messages: ASKED, max_tokens: 3, temperature: 0 };
  /** The beginning of the greedy answer, as after everything that a request may do to the ranks. */
  const beginning = async (fields: object = {}): Promise<string> => {
    const { choices } = await openai.chat.completions.create({ ...short, model: id, ...fields });
    const message = choices[0]?.message as unknown as { reasoning_content: string } | undefined;
    return message?.reasoning_content ?? '';
  };

  test("what ends mlx-lm's own server is answered or refused, and the next request works", async () => {
    const { epoch } = cluster.controller.status();
    const begun = await beginning();
    assert.notEqual(begun, '');
    const refused: [string, object, RegExp][] = [
      ['/v1/chat/completions', { ...short, stop: [1, 2] }, /stop/],
      ['/v1/completions', { prompt: 'x', stop: [1, 2], max_tokens: 3 }, /stop/],
      ['/v1/completions', { prompt: '', max_tokens: 3 }, /empty/],
      ['/v1/completions', { prompt: [1_000_000], max_tokens: 3 }, /1000000|vocabulary/],
      ['/v1/chat/completions', { ...short, messages: [] }, /messages/],
      ['/v1/chat/completions', { ...short, logit_bias: { 1000000: 5 } }, /logit_bias/],
      [
        '/v1/chat/completions',
        { ...short, response_format: { type: 'json_schema', json_schema: { name: 'x', schema: SCHEMA } } },
        /MLX Distributed has no grammars/,
      ],
    ];
    for (const [path, body, words] of refused) {
      const [status, message] = await posted(path, body);
      assert.equal(status, 400, `${JSON.stringify(body)}: ${status} ${message}`);
      assert.match(message, words);
      assert.equal(await beginning(), begun);
    }
    assert.equal(
      (await posted('/v1/chat/completions', { ...short, messages: [{ role: 'user', content: '' }] }))[0],
      200,
    );
    // a top_k over the vocabulary keeps everything
    const seeded = { temperature: 1, seed: 7, max_tokens: 8 };
    assert.equal(await beginning({ ...seeded, top_k: 1_000_000 }), await beginning(seeded));
    // an exact repeat, also of the whole conversation with its answer
    assert.equal(await beginning(), begun);
    const text = { model: id, prompt: '9.11 and', max_tokens: 8, temperature: 0 };
    const whole = (await openai.completions.create({ ...text, echo: true })).choices[0]?.text ?? '';
    for (let time = 0; time < 2; time += 1)
      await openai.completions.create({ ...text, prompt: whole, max_tokens: 2 });
    assert.equal((await openai.completions.create({ ...text, echo: true })).choices[0]?.text, whole);
    // a client that goes away in the middle of a seeded answer, of a stream and of a whole one
    const abort = new AbortController();
    const long = { model: id, messages: ASKED, seed: 7, temperature: 1, max_tokens: 400 };
    for await (const _ of await openai.chat.completions.create(
      { ...long, stream: true },
      { signal: abort.signal },
    ))
      break;
    const whole400 = openai.chat.completions.create(long, { signal: abort.signal });
    await until(() => cluster.controller.status().requests.length > 0);
    abort.abort();
    await assert.rejects(whole400);
    await until(() => cluster.controller.status().requests.length === 0);
    assert.equal(await beginning(), begun);
    assert.equal(cluster.controller.status().epoch, epoch, 'no rank has died of any of it');
  });

  // all at once: the ranks compute their steps together
  describe('libraries', { concurrency: 4 }, () => {
    test('openai: chat whole and streamed, responses, its errors', async () => {
      const { choices, usage } = await openai.chat.completions.create({
        ...short,
        model: id,
        max_tokens: 300,
        logprobs: true,
        top_logprobs: 2,
      });
      const { message, logprobs, finish_reason } = choices[0] as OpenAI.ChatCompletion.Choice;
      assert.equal(message.content, ANSWER);
      assert.match((message as { reasoning_content?: string }).reasoning_content ?? '', THOUGHT);
      assert.equal(finish_reason, 'stop');
      assert.ok((usage?.completion_tokens ?? 0) > 20);
      assert.equal((logprobs?.content ?? []).map(({ token }) => token).join(''), ANSWER);
      const final = await openai.responses
        .stream({ model: id, input: QUESTION, temperature: 0 })
        .finalResponse();
      assert.equal(final.output_text, ANSWER);
      assert.deepEqual(
        final.output.map(({ type }) => type),
        ['reasoning', 'message'],
      );
      await assert.rejects(openai.chat.completions.create({ ...short, model: 'gpt-4' }), {
        status: 404,
        code: 'model_not_found',
      });
      const tools = [{ type: 'function' as const, function: { name: 'count', parameters: SCHEMA } }];
      const forced = { ...short, model: id, tools, tool_choice: 'required' as const };
      await assert.rejects(
        openai.chat.completions.create(forced),
        ({ status, message: why }: InstanceType<typeof OpenAI.APIError>) =>
          status === 400 && /MLX Distributed has no grammars/.test(why),
      );
    });

    test('anthropic: a stream with its thinking, and its form of an error', async () => {
      const anthropic = new Anthropic({ baseURL: cluster.url, apiKey: 'none', maxRetries: 0 });
      const body = { model: id, max_tokens: 300, messages: ASKED, temperature: 0 };
      const { content, stop_reason } = await anthropic.messages.stream(body).finalMessage();
      assert.ok(content[0]?.type === 'thinking' && THOUGHT.test(content[0].thinking));
      assert.ok(content[1]?.type === 'text' && content[1].text === ANSWER);
      assert.equal(stop_reason, 'end_turn');
      const input_schema = SCHEMA as Anthropic.Tool.InputSchema;
      await assert.rejects(
        anthropic.messages.create({
          ...body,
          thinking: { type: 'disabled' },
          tools: [{ name: 'count', input_schema }],
          tool_choice: { type: 'tool', name: 'count' },
        }),
        (error: unknown) => error instanceof Anthropic.BadRequestError && /no grammars/.test(error.message),
      );
    });

    test('ollama: chat whole and streamed; a format is refused', async () => {
      const ollama = new Ollama({ host: cluster.url });
      const request = { model: id, messages: ASKED, options: { temperature: 0 } };
      let content = '';
      let thinking = '';
      for await (const part of await ollama.chat({ ...request, stream: true })) {
        content += part.message.content;
        thinking += part.message.thinking ?? '';
      }
      assert.equal(content, ANSWER);
      assert.match(thinking, THOUGHT);
      await assert.rejects(ollama.generate({ model: id, prompt: QUESTION, think: false, format: SCHEMA }), {
        status_code: 400,
        error: /no grammars/,
      });
    });

    test('the AI SDK: chat completions as a stream', async () => {
      const provider = createOpenAICompatible({ name: 'espalier', baseURL: `${cluster.url}/v1` });
      const stream = streamText({ model: provider(id), prompt: QUESTION, temperature: 0 });
      assert.equal(await stream.text, ANSWER);
      assert.match((await stream.reasoningText) ?? '', THOUGHT);
    });
  });

  test('what is told of it: each rank computes and waits, and predictions are of this engine', async () => {
    let told: TraceMetadata | undefined;
    await until(async () => {
      const { metadata } = (await get(TRACE_PATH)) as { metadata: unknown };
      told = TraceMetadata.parse(metadata);
      return told.ranks?.length === 2;
    });
    for (const { computeMs, waitMs } of told?.ranks ?? []) assert.ok(computeMs > 0 && waitMs > 0);
    assert.match(told?.summary.verdict ?? '', /One rank computes after the other: of a step of/);
    const { predicted } = PlanReport.parse(await get(PLAN_PATH));
    const status = cluster.controller.status();
    assert.equal(status.predicted?.oneStream, predicted.oneStream);
    assert.deepEqual(
      status.stages.map(({ predictedStepMs }) => predictedStepMs),
      [null, null],
    );
  });

  test('a stored model in several files: every rank is brought embedding, norm and head, and answers', async () => {
    const { pull } = PullAnswer.parse(await (await cluster.post(PULL_MODEL_PATH, { model: REPO })).json());
    let ended: PullProgress | undefined;
    await until(async () => {
      ended = ModelsReport.parse(await get(MODELS_PATH)).pulls.find((each) => each.id === pull.id);
      return ended?.state === 'done' || ended?.state === 'failed';
    }, 'the end of a pull');
    assert.deepEqual([ended?.state, ended?.failure], ['done', null]);
    const filesOf = (node: string) => {
      const snapshot = join(folder, node, 'models--tests--apart-demo', 'snapshots', hub.commit(REPO));
      const held = readdirSync(snapshot).filter((path) => path.endsWith('.safetensors'));
      return held.map((path) => Number(path.slice(6, 11))).sort();
    };
    assert.deepEqual(
      [filesOf('node-1'), filesOf('node-2')],
      [
        [1, 2, 4],
        [1, 2, 3, 4],
      ],
    );
    const answer = SwitchAnswer.parse(await (await cluster.post(DEPLOYMENT_PATH, { model: REPO })).json());
    assert.equal(answer.cost.missingBytes, 0);
    await until(async () => DeploymentReport.parse(await get(DEPLOYMENT_PATH)).model === REPO, 'the switch');
    await cluster.untilServing();
    const [reference] = referenceCases;
    assert.ok(reference);
    assert.deepEqual(
      await cluster.generate(reference.prompt_ids, { maxTokens: 12 }),
      reference.greedy_ids.slice(0, 12),
    );
  });
});
