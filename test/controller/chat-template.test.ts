import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { compileChatTemplate, loadChatTemplate } from '../../controller/chat-template.ts';
import { loadTokenizer } from '../../controller/tokenizer.ts';
import { EspalierError } from '../../protocol/errors.ts';
import { demoModelDir } from '../support/paths.ts';
import { referenceCases } from '../support/reference.ts';

/** The published DeepSeek R1 template, without its parts for tool calls. */
const R1_TEMPLATE =
  '{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}' +
  "{% set ns = namespace(is_first=false, system_prompt='', is_first_sp=true) %}{%- for message in messages %}" +
  "{%- if message['role'] == 'system' %}{%- if ns.is_first_sp %}" +
  "{% set ns.system_prompt = ns.system_prompt + message['content'] %}{% set ns.is_first_sp = false %}{%- else %}" +
  "{% set ns.system_prompt = ns.system_prompt + '\\n\\n' + message['content'] %}{%- endif %}{%- endif %}{%- endfor %}" +
  '{{ bos_token }}{{ ns.system_prompt }}{%- for message in messages %}' +
  "{%- if message['role'] == 'user' %}{{'<｜User｜>' + message['content']}}{%- endif %}" +
  "{%- if message['role'] == 'assistant' and 'tool_calls' not in message %}{% set content = message['content'] %}" +
  "{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}" +
  "{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- endfor -%}" +
  "{% if add_generation_prompt %}{{'<｜Assistant｜><think>\\n'}}{% endif %}";

async function folder(
  t: { after(fn: () => Promise<void>): void },
  files: Record<string, string>,
): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'espalier-template-'));
  t.after(() => rm(dir, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  return dir;
}

test('all reference conversations become exactly their prompt ids', async () => {
  const render = await loadChatTemplate(demoModelDir);
  const tokenizer = await loadTokenizer(demoModelDir);
  for (const { messages, prompt_ids } of referenceCases) {
    assert.deepEqual(tokenizer.encode(render(messages)), prompt_ids);
  }
});

test("R1's own template drops earlier reasoning and opens the next", () => {
  const render = compileChatTemplate(R1_TEMPLATE, { bos_token: '<｜begin▁of▁sentence｜>' });
  assert.equal(
    render([
      { role: 'system', content: 'A' },
      { role: 'system', content: 'B' },
      { role: 'user', content: ' x ' },
      { role: 'assistant', content: '<think>\nhm\n</think>\n\n y' },
      { role: 'user', content: '{{ bos_token }}' },
    ]),
    '<｜begin▁of▁sentence｜>A\n\nB<｜User｜> x <｜Assistant｜>\n\n y<｜end▁of▁sentence｜><｜User｜>{{ bos_token }}<｜Assistant｜><think>\n',
  );
});

test('strip takes the characters that it is told, as in Python', () => {
  const render = (expression: string): string =>
    compileChatTemplate(`{{ '[' + ${expression} + ']' }}`, {})([{ role: 'user', content: '\n  x \n\n' }]);
  const content = "messages[0]['content']";
  assert.equal(render(`${content}.strip()`), '[x]');
  assert.equal(render(`${content}.strip('\\n')`), '[  x ]');
  assert.equal(render(`${content}.lstrip('\\n')`), '[  x \n\n]');
  assert.equal(render(`${content}.rstrip('\\n').lstrip('\\n ')`), '[x ]');
  assert.equal(render(`${content}.split('x')[-1].strip(none)`), '[]');
});

test('templates see what transformers gives them', () => {
  const render = compileChatTemplate(
    '{{ tools is none }} {{ documents is none }} {{ add_generation_prompt }} {{ eos_token }} {{ nothing is defined }} ' +
      "{{ strftime_now('%Y') | length }}",
    { eos_token: '</s>' },
  );
  assert.equal(render([]), 'true true true </s> false 4');
});

test('a template that refuses the messages is the fault of the request', () => {
  const render = compileChatTemplate("{{ raise_exception('roles must alternate') }}", {});
  assert.throws(
    () => render([{ role: 'user', content: 'x' }]),
    (error: EspalierError) => error.code === 'invalid_request' && /roles must alternate/.test(error.message),
  );
});

test('chat_template.jinja goes before tokenizer_config.json, and of named templates the default one', async (t) => {
  const named = JSON.stringify({
    bos_token: { content: '<s>' },
    chat_template: [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: '{{ bos_token }}default' },
    ],
  });
  const fromConfig = await loadChatTemplate(await folder(t, { 'tokenizer_config.json': named }));
  assert.equal(fromConfig([]), '<s>default');
  const files = { 'tokenizer_config.json': named, 'chat_template.jinja': '{{ bos_token }}own file' };
  assert.equal((await loadChatTemplate(await folder(t, files)))([]), '<s>own file');
});

test('a missing or damaged template is an error that names it', async (t) => {
  const code = async (files: Record<string, string>): Promise<[string, string]> => {
    const dir = await folder(t, files);
    const error: unknown = await loadChatTemplate(dir).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof EspalierError);
    return [error.code, error.message];
  };
  const [missing, missingText] = await code({ 'tokenizer_config.json': '{}' });
  assert.equal(missing, 'model_file_missing');
  assert.match(missingText, /chat_template\.jinja/);
  const [damaged, damagedText] = await code({ 'tokenizer_config.json': '{"chat_template": "{% if %}"}' });
  assert.equal(damaged, 'model_file_damaged');
  assert.match(damagedText, /chat_template in tokenizer_config\.json/);
  assert.equal((await code({}))[0], 'model_file_missing');
  assert.equal((await code({ 'tokenizer_config.json': '{"chat_template": 5}' }))[0], 'model_mismatch');
});
