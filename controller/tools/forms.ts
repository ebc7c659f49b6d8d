// Which form of writing calls a chat template has taught its model. It must not know dialects.
import { DEEPSEEK_FORM } from './deepseek-form.ts';
import { HERMES_FORM } from './hermes-form.ts';
import { LLAMA_FORM } from './llama-form.ts';
import type { ToolForm } from './tool-form.ts';

/**
 * The form that a chat template has for tools; its `list` is there only where the template itself lists none.
 * @param source the template's own text
 * @returns undefined where the template knows no tools, or knows them in a form that is not known here
 */
export function toolFormOf(source: string): ToolForm | undefined {
  const form = [DEEPSEEK_FORM, HERMES_FORM].find(({ begin }) => source.includes(begin)) ?? llamaForm(source);
  if (!form) return undefined;
  // `tools` as a variable: `message.tool_calls` and a quoted 'tools' are something else
  const listsTools = /(?<![\w.'"])tools(?![\w'"])/.test(source);
  if (listsTools) return { ...form, list: undefined };
  return form.list ? form : undefined;
}

/** Llama 3's own templates: calls are bare JSON with `parameters`, and results come from `ipython`. */
function llamaForm(source: string): ToolForm | undefined {
  return source.includes('ipython') && source.includes('"parameters"') ? LLAMA_FORM : undefined;
}
