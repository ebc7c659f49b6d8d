// What an answer is held to, as one grammar: a format, or the tools that must be called.
// It must not know dialects; what is sound is found by compiling it.
import { EspalierError } from '../protocol/errors.ts';
import type { Grammar } from '../protocol/generate.ts';
import type { AnswerFormat, Tool, ToolChoice } from './chat-request.ts';
import type { ToolForm } from './tools/tool-form.ts';

/** After a reasoning, models put some newlines before their answer. */
const AFTER_REASONING = { type: 'regex', pattern: '[ \\n]{0,3}' };

export interface GrammarWish {
  format: AnswerFormat | undefined;
  toolChoice: ToolChoice;
  /** whether several calls may be made where one is demanded */
  parallelCalls: boolean;
  tools: readonly Tool[];
  toolForm: ToolForm | undefined;
  /** the text that ends the reasoning with which the answer begins; undefined without one */
  reasoningEnd: string | undefined;
}

/**
 * The grammar that a request asks for, if any.
 * @throws EspalierError invalid_request where two wishes exclude each other
 */
export function answerGrammar(wish: GrammarWish): Grammar | undefined {
  const { format, toolChoice, tools, toolForm, reasoningEnd, parallelCalls } = wish;
  const isForced = toolForm !== undefined && toolChoice !== 'auto' && toolChoice !== 'none';
  if (isForced && format) {
    throw new EspalierError(
      'invalid_request',
      'An answer cannot be both a call of a tool and in a format of its own: leave out one of the two.',
    );
  }
  const body = isForced
    ? toolCalls(toolForm, calledTools(tools, toolChoice), parallelCalls && typeof toolChoice === 'string')
    : format && formatOrCalls(format, toolForm, tools, parallelCalls);
  if (!body) return undefined;
  if (reasoningEnd === undefined) return { structuralTag: tagOf(body) };
  return {
    structuralTag: tagOf({ type: 'sequence', elements: [AFTER_REASONING, body] }),
    after: reasoningEnd,
  };
}

function tagOf(format: object): string {
  return JSON.stringify({ type: 'structural_tag', format });
}

/**
 * Where there are tools that may be called, an answer in the format is what comes instead of a call. Of forms that put
 * nothing around all calls one call is let through: XGrammar takes no list without an end as one of several ways.
 */
function formatOrCalls(
  format: AnswerFormat,
  toolForm: ToolForm | undefined,
  tools: readonly Tool[],
  parallelCalls: boolean,
): object {
  const answer = formatOf(format);
  if (!toolForm || tools.length === 0) return answer;
  const isEnclosed = toolForm.around.begin !== '';
  const calls = isEnclosed ? [toolCalls(toolForm, tools, parallelCalls)] : callTags(toolForm, tools);
  return { type: 'or', elements: [answer, ...calls] };
}

function formatOf(format: AnswerFormat): object {
  return { type: 'json_schema', json_schema: format.kind === 'json' ? { type: 'object' } : format.schema };
}

function calledTools(tools: readonly Tool[], choice: ToolChoice): readonly Tool[] {
  if (typeof choice === 'string') return tools;
  return tools.filter(({ name }) => name === choice.name);
}

function callTags({ frame }: ToolForm, tools: readonly Tool[]): object[] {
  return tools.map(({ name, parameters }) => ({
    type: 'tag',
    ...frame(name),
    content: { type: 'json_schema', json_schema: parameters },
  }));
}

/** One call or more, in the model's own form. */
function toolCalls(form: ToolForm, tools: readonly Tool[], mayBeSeveral: boolean): object {
  const { begin, end, separator } = form.around;
  const calls = {
    type: 'tags_with_separator',
    tags: callTags(form, tools),
    separator,
    at_least_one: true,
    stop_after_first: !mayBeSeveral,
  };
  return begin === '' ? calls : { type: 'tag', begin, content: calls, end };
}
