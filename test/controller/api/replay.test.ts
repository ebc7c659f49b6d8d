// The requests of the clients that people use, as those send them: each is answered in its form, and none is refused.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loadTextModel, type TextModel } from '../../../controller/text-model.ts';
import { fixturesDir } from '../../support/paths.ts';
import { toolsModel } from '../../support/tools-model.ts';
import { demoTextModel } from '../support.ts';
import { SUM_ANSWER, startApi, sum } from './api-under-test.ts';

interface Fixture {
  client: string;
  path: string;
  headers: Record<string, string>;
  body: Record<string, unknown>;
  background?: boolean;
  tools?: boolean;
  inline?: boolean;
  hidden?: string;
}

const dir = join(fixturesDir, 'clients');
const fixtures = readdirSync(dir)
  .filter((file) => file.endsWith('.json'))
  .map((file) => ({ file, ...(JSON.parse(readFileSync(join(dir, file), 'utf8')) as Fixture) }));

/** What the last words of each stream are. */
const ENDINGS: [path: RegExp, end: RegExp][] = [
  [/^\/v1\/(chat\/)?completions/, /data: \[DONE\]\n\n$/],
  [/^\/v1\/messages/, /event: message_stop\ndata: \{"type":"message_stop"\}\n\n$/],
  [/^\/v1\/responses/, /event: response\.completed\n[^\n]*"total_tokens":\d+[^\n]*\n\n$/],
  [/^\/api\//, /"message":\{"role":"assistant","content":""\},"done":true[^\n]*\n$/],
];

describe('requests of clients', () => {
  let withTools: Promise<TextModel>;
  const copy = toolsModel();
  before(async () => {
    withTools = loadTextModel(copy.dir, { id: 'demo-model' });
    await withTools;
  });
  after(async () => {
    await (await withTools).close();
    copy.remove();
  });

  assert.ok(fixtures.length > 20);
  for (const { file, path, headers, background, tools, inline, hidden, ...fixture } of fixtures) {
    test(file, async (t) => {
      const model = tools ? withTools : demoTextModel;
      const api = await startApi(t, { model });
      api.source.script = () => sum.greedy_ids;
      const body = { ...fixture.body };
      if (body.messages === '@messages') body.messages = sum.messages;
      const response = await api.post(body, headers, path);
      const text = await response.text();
      assert.equal(response.status, 200, text);
      if (path.includes('count_tokens')) return;
      const [asked] = api.source.requests;
      assert.equal(asked?.isBackground ?? false, background ?? false);
      const prompt = (await model).decode(asked?.promptIds ?? []);
      if (hidden) assert.ok(!prompt.includes(hidden), prompt);
      if (background) assert.match(prompt, /<think>\n\n<\/think>\n\n$/, 'it is not to think');
      const [, end] = ENDINGS.find(([pattern]) => pattern.test(path)) ?? [];
      if (body.stream) assert.match(text, end as RegExp);
      else JSON.parse(text);
      if (inline) assert.ok(text.includes('"content":"<think>\\n') && !text.includes('reasoning_content'));
    });
  }

  test('where the template has no form for tools, a request with tools is refused, and says why', async (t) => {
    const api = await startApi(t);
    for (const { path, headers, body } of fixtures.filter(({ tools }) => tools)) {
      const filled = { ...body, messages: body.messages === '@messages' ? sum.messages : body.messages };
      const response = await api.post(filled, headers, path);
      assert.equal(response.status, 400);
      assert.match(await response.text(), /tools: the chat template of demo-model has no form for tools/);
    }
    assert.equal(api.source.requests.length, 0);
  });

  test('an answer that is right stays right in each form', async (t) => {
    const api = await startApi(t);
    const messages = sum.messages;
    const ask = async (path: string, body: object) =>
      (await api.post({ model: 'demo-model', ...body }, {}, path)).text();
    assert.ok((await ask('/v1/messages', { messages, max_tokens: 99 })).includes(SUM_ANSWER));
    assert.ok((await ask('/v1/responses', { input: messages })).includes(SUM_ANSWER));
    assert.ok((await ask('/api/chat', { messages, stream: false })).includes(SUM_ANSWER));
  });
});
