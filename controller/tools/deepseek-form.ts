// Calls as DeepSeek's templates write them: V3's and R1's with the word `function` and fenced JSON, V3.1's without.
// R1's own template shows calls but never lists the tools: then they are listed in the words of vLLM's
// tool_chat_template_deepseekr1.jinja (docs/decisions/0014).
import type { Tool } from '../chat-request.ts';
import { declaration, type ToolForm, type WrittenCall, writtenCall } from './tool-form.ts';

const BEGIN = '<｜tool▁calls▁begin｜>';
const END = '<｜tool▁calls▁end｜>';
const CALL_BEGIN = '<｜tool▁call▁begin｜>';
const CALL_END = '<｜tool▁call▁end｜>';
const SEPARATOR = '<｜tool▁sep｜>';
const FENCE = /^([^\n]*)\n```(?:json)?\n([\s\S]*?)\n?```\s*$/;

function list(tools: readonly Tool[]): string {
  const listed = tools.map(
    (tool, index) =>
      `## Tool ${index + 1}: ${tool.name}\n\`\`\`json\n${JSON.stringify(declaration(tool))}\n\`\`\``,
  );
  return [
    'You may call tools. These are the tools that you have:',
    ...listed,
    'To call tools, answer with nothing but the calls, in this form, one block for each call:',
    `${BEGIN}${CALL_BEGIN}function${SEPARATOR}NAME\n\`\`\`json\n{"argument": "value"}\n\`\`\`${CALL_END}${END}`,
    'Each block holds the name of the tool and its arguments as a JSON object. Call a tool only where it helps.',
  ].join('\n\n');
}

/** What stands between two marks: `function⋯NAME` and a fence, or `NAME⋯{arguments}`. */
function readOne(text: string): WrittenCall | undefined {
  const at = text.indexOf(SEPARATOR);
  if (at < 0) return undefined;
  const before = text.slice(0, at).trim();
  const after = text.slice(at + SEPARATOR.length);
  const fenced = FENCE.exec(after);
  return fenced ? writtenCall(fenced[1]?.trim(), fenced[2]) : writtenCall(before, after);
}

export const DEEPSEEK_FORM: ToolForm = {
  begin: BEGIN,
  isOnlyFirst: false,
  callEnd: CALL_END,
  read: (text) => {
    const from = text.indexOf(CALL_BEGIN);
    if (from < 0) return text.replace(END, '').replace(BEGIN, '').trim() === '' ? [] : undefined;
    const body = text.slice(from + CALL_BEGIN.length).replace(END, '');
    const call = readOne(body.endsWith(CALL_END) ? body.slice(0, -CALL_END.length) : body);
    return call && [call];
  },
  frame: (tool) => ({
    begin: `${CALL_BEGIN}function${SEPARATOR}${tool}\n\`\`\`json\n`,
    end: `\n\`\`\`${CALL_END}`,
  }),
  around: { begin: BEGIN, separator: '\n', end: END },
  argumentsAs: 'text',
  list,
};
