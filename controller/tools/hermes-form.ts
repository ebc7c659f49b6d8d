// Calls as Hermes writes them, and Qwen 2.5 and 3 after it: JSON between <tool_call> and </tool_call>.
import { parsedJson, type ToolForm, writtenCall } from './tool-form.ts';

const BEGIN = '<tool_call>';
const END = '</tool_call>';

export const HERMES_FORM: ToolForm = {
  begin: BEGIN,
  isOnlyFirst: false,
  callEnd: END,
  read: (text) => {
    const from = text.indexOf(BEGIN) + BEGIN.length;
    const to = text.endsWith(END) ? text.length - END.length : text.length;
    const json = parsedJson(text.slice(from, to));
    const { name, arguments: given = {} } = Object(json) as { name?: unknown; arguments?: unknown };
    const call = writtenCall(name, given);
    return call && [call];
  },
  frame: (tool) => ({
    begin: `${BEGIN}\n{"name": ${JSON.stringify(tool)}, "arguments": `,
    end: `}\n${END}`,
  }),
  around: { begin: '', separator: '\n', end: '' },
  argumentsAs: 'object',
  list: undefined,
};
