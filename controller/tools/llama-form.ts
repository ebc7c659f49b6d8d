// Calls as Llama 3's own templates write them: the whole answer is JSON with a name and parameters, several with `;`.
import { parsedJson, type ToolForm, type WrittenCall, writtenCall } from './tool-form.ts';

export const LLAMA_FORM: ToolForm = {
  begin: '{"',
  isOnlyFirst: true,
  callEnd: undefined,
  read: (text) => {
    const calls: WrittenCall[] = [];
    for (const part of text.split(/;\s*(?=\{)/)) {
      const { name, parameters = {} } = Object(parsedJson(part)) as { name?: unknown; parameters?: unknown };
      const call = writtenCall(name, parameters);
      if (!call) return undefined;
      calls.push(call);
    }
    return calls;
  },
  frame: (tool) => ({ begin: `{"name": ${JSON.stringify(tool)}, "parameters": `, end: '}' }),
  around: { begin: '', separator: '; ', end: '' },
  argumentsAs: 'object',
  list: undefined,
};
