// The demo model with a chat template that knows tools, in Hermes' form. The model was never taught to call any: what it
// says of its own it says as before, and what a grammar demands it writes.
import { readFileSync, writeFileSync } from 'node:fs';
import { ModelCopy } from './model-copy.ts';

const TOOLS =
  "{%- if tools -%}{{- '# Tools\\n<tools>' -}}{%- for tool in tools -%}{{- '\\n' + (tool | tojson) -}}{%- endfor -%}" +
  '{{- \'\\n</tools>\\nCall: <tool_call>\\n{"name": NAME, "arguments": OBJECT}\\n</tool_call>\' -}}{%- endif -%}';
const RESULTS =
  "{%- elif m['role'] == 'tool' -%}{{- '<｜User｜><tool_response>' + m['content'] + '</tool_response>' -}}";
const CALLS =
  "{%- elif m['role'] == 'assistant' and m['tool_calls'] -%}{{- '<｜Assistant｜>' -}}{%- for c in m['tool_calls'] -%}" +
  "{{- '<tool_call>\\n' + ({'name': c.function.name, 'arguments': c.function.arguments} | tojson) + '\\n</tool_call>' -}}" +
  '{%- endfor -%}{{- eos_token -}}';
const SYSTEM = '{{- bos_token + ns.system -}}';
const ASSISTANT = "{%- elif m['role'] == 'assistant' -%}";

/** The caller removes it. */
export function toolsModel(): ModelCopy {
  const model = new ModelCopy();
  const path = model.path('tokenizer_config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as { chat_template: string };
  const chat_template = config.chat_template
    .replace(SYSTEM, SYSTEM + TOOLS)
    .replace(ASSISTANT, RESULTS + CALLS + ASSISTANT);
  writeFileSync(path, JSON.stringify({ ...config, chat_template }));
  return model;
}
