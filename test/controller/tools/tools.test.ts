// Calls of tools in the forms of the models that people run: found in any cut of the text, never shown, nothing lost.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileChatTemplate } from '../../../controller/chat-template.ts';
import { toolFormOf } from '../../../controller/tools/forms.ts';
import type { ToolForm, WrittenCall } from '../../../controller/tools/tool-form.ts';
import { ToolSplitter } from '../../../controller/tools/tool-splitter.ts';
import { randomCut, seeded } from '../support.ts';

/** The parts of the published templates that tell their forms. */
const QWEN3 = '{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}<tool_call>{% endif %}';
const R1 =
  "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}{% endif %}" +
  "{% if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{% endif %}" +
  "{% if m['role'] == 'assistant' and m['content'] is none %}{% for tool in m['tool_calls'] %}" +
  "{{ '<｜Assistant｜><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>' + tool['type'] + '<｜tool▁sep｜>' + tool['function']['name']" +
  " + '\\n' + '```json' + '\\n' + tool['function']['arguments'] + '\\n' + '```' + '<｜tool▁call▁end｜>' }}{% endfor %}{% endif %}" +
  "{% if m['role'] == 'tool' %}{{ '<｜tool▁outputs▁begin｜>' + m['content'] }}{% endif %}{% endfor %}";
const LLAMA3 = '{% if tools %}"parameters": dictionary{% endif %}{{ "<|start_header_id|>ipython" }}';

const V31_CALL =
  '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get<｜tool▁sep｜>{"city": "Bonn"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>';
const R1_CALLS =
  '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get\n```json\n{"city": "Bonn"}\n```<｜tool▁call▁end｜>\n' +
  '<｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{"a": [1, 2]}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>';
const HERMES_CALLS =
  '<tool_call>\n{"name": "get", "arguments": {"city": "Bonn"}}\n</tool_call>\n<tool_call>\n{"name": "add", "arguments": {"a": [1, 2]}}\n</tool_call>';
const BOTH: WrittenCall[] = [
  { name: 'get', arguments: '{"city":"Bonn"}' },
  { name: 'add', arguments: '{"a":[1,2]}' },
];

function formOf(template: string): ToolForm {
  const form = toolFormOf(template);
  assert.ok(form);
  return form;
}

function split(form: ToolForm, pieces: readonly string[]): { text: string; calls: WrittenCall[] } {
  const splitter = new ToolSplitter(form);
  const all = { text: '', calls: [] as WrittenCall[] };
  for (const part of [...pieces.map((piece) => splitter.push(piece)), splitter.end()]) {
    all.text += part.text;
    all.calls.push(...part.calls);
  }
  return all;
}

describe('calls of tools', () => {
  const cases: [what: string, template: string, answer: string, text: string, calls: WrittenCall[]][] = [
    ['Hermes', QWEN3, HERMES_CALLS, '', BOTH],
    ['Hermes after words', QWEN3, `I look it up.\n\n${HERMES_CALLS}\n`, 'I look it up.', BOTH],
    [
      'Hermes with a mark in a string',
      QWEN3,
      '<tool_call>{"name":"f","arguments":{"x":"</tool_call>"}}</tool_call>',
      '',
      [{ name: 'f', arguments: '{"x":"</tool_call>"}' }],
    ],
    [
      'Hermes cut off after the JSON',
      QWEN3,
      '<tool_call>{"name":"f","arguments":{}}',
      '',
      [{ name: 'f', arguments: '{}' }],
    ],
    ['Hermes that is none', QWEN3, 'a <tool_call>{"name":', 'a<tool_call>{"name":', []],
    ['words with a lesser sign', QWEN3, 'if a < b, <tool is\n', 'if a < b, <tool is\n', []],
    ['R1', R1, R1_CALLS, '', BOTH],
    ['V3.1', R1, `So:\n${V31_CALL}`, 'So:', BOTH.slice(0, 1)],
    [
      'Llama',
      LLAMA3,
      '{"name": "get", "parameters": {"city": "Bonn"}}; {"name": "add", "parameters": {"a": [1,2]}}',
      '',
      BOTH,
    ],
    ['Llama that is only JSON', LLAMA3, '{"a": 1}', '{"a": 1}', []],
    ['Llama with words', LLAMA3, 'Use {"name": "get"} here', 'Use {"name": "get"} here', []],
  ];
  for (const [what, template, answer, text, calls] of cases) {
    test(what, () => {
      const random = seeded(3);
      const form = formOf(template);
      assert.deepEqual(split(form, [answer]), { text, calls });
      assert.deepEqual(split(form, [...answer]), { text, calls });
      for (let round = 0; round < 50; round++) {
        const pieces = randomCut(random, answer);
        assert.deepEqual(split(form, pieces), { text, calls }, JSON.stringify(pieces));
      }
    });
  }

  test('what a form frames, it reads', () => {
    for (const template of [QWEN3, R1, LLAMA3]) {
      const form = formOf(template);
      const { around, frame } = form;
      const calls = BOTH.map(({ name, arguments: given }) => frame(name).begin + given + frame(name).end);
      const written = around.begin + calls.join(around.separator) + around.end;
      assert.deepEqual(split(form, [written]).calls, BOTH, template);
    }
  });

  test('a template without a form for tools has none', () => {
    assert.equal(toolFormOf('{% for m in messages %}{{ m.content }}{% endfor %}'), undefined);
    assert.equal(toolFormOf('{% if tools %}{{ tools }}{% endif %}'), undefined, 'a form that is not known');
  });

  test("R1's template shows calls but lists no tools: they are listed before the conversation", () => {
    const render = compileChatTemplate(R1, { bos_token: '<B>' });
    const tools = [{ name: 'get', description: 'gets it', parameters: { type: 'object' } }];
    const call = { id: 'c1', name: 'get', arguments: '{"city":"Bonn"}' };
    const prompt = render(
      [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'hi' },
        { role: 'assistant', content: '', toolCalls: [call] },
        { role: 'tool', content: 'rain', toolCallId: 'c1' },
      ],
      { tools },
    );
    assert.match(prompt, /^<B>You may call tools\./);
    assert.match(prompt, /"description":"gets it"/);
    assert.match(prompt, /Be brief\.<｜User｜>hi/);
    assert.match(prompt, /<｜tool▁sep｜>get\n```json\n\{"city":"Bonn"\}\n```<｜tool▁call▁end｜>/);
    assert.ok(!render([{ role: 'user', content: 'hi' }]).includes('tools'));
  });
});
