// From a chat request to a generation: renders, tokenizes, fills in the defaults, and refuses what the model cannot do,
// so that all that is wrong with a request is said before anything runs. It must not know HTTP or dialects.
import { randomInt } from 'node:crypto';
import { EspalierError } from '../protocol/errors.ts';
import type { GenerateRequest, Sampling } from '../protocol/generate.ts';
import { answerGrammar } from './answer-grammar.ts';
import type { AnswerOptions, ChatRequest, Conversation, RawPrompt } from './chat-request.ts';
import { EMPTY_REASONING, promptOpensReasoning, REASONING_END } from './reasoning.ts';
import type { TextModel } from './text-model.ts';
import type { ToolForm } from './tools/tool-form.ts';

/** A chat that fits the model: everything that can be wrong with the request itself has been checked. */
export interface AdmittedChat {
  model: TextModel;
  generation: Omit<GenerateRequest, 'requestId'>;
  /** how the answer's text is taken apart; raw: not at all */
  reading: 'reasoning' | 'answer' | 'raw';
  stop: readonly string[];
  /** how calls of tools are found in the answer; undefined where none may be called */
  toolForm: ToolForm | undefined;
}

/** What an operator sets for all requests, whatever clients ask for. */
export type SamplingPins = Partial<Omit<Sampling, 'seed' | 'topLogprobs' | 'logitBias' | 'minTokens'>>;

/** crypto.randomInt takes ranges below 2^48. */
const SEED_RANGE = 2 ** 48 - 1;

interface Prompt {
  ids: readonly number[];
  reading: AdmittedChat['reading'];
  toolForm: ToolForm | undefined;
}

/**
 * Renders and tokenizes a chat, and fills in the defaults.
 * @throws EspalierError context_length_exceeded, or invalid_request where the model's template has no form for what is
 *   asked, refuses the messages, or where a format cannot be enforced
 */
export async function admitChat(
  request: ChatRequest,
  model: TextModel,
  signal: AbortSignal,
  pins: SamplingPins = {},
): Promise<AdmittedChat> {
  const prompt = await promptOf(request, model, signal);
  const { ids, reading, toolForm } = prompt;
  const roomTokens = model.contextTokens - ids.length;
  if (roomTokens < 1) {
    throw new EspalierError(
      'context_length_exceeded',
      `The conversation has ${ids.length} tokens, but the context of ${model.id} holds ${model.contextTokens}, the answer included.`,
    );
  }
  if (ids.length === 0) {
    throw new EspalierError('invalid_request', 'The conversation is empty: the model has nothing to answer.');
  }
  const grammar = answerGrammar({
    format: request.format,
    tools: ('messages' in request && request.tools) || [],
    toolChoice: ('messages' in request && request.toolChoice) || 'auto',
    parallelCalls: !('messages' in request) || request.parallelCalls !== false,
    toolForm,
    reasoningEnd: reading === 'reasoning' ? REASONING_END : undefined,
  });
  if (grammar) await model.checkGrammar(grammar.structuralTag, signal);
  const sampling = samplingOf(request, model, pins);
  if (grammar && sampling.minTokens) {
    const what = 'min_tokens and an enforced format exclude each other';
    throw new EspalierError('invalid_request', `${what}: leave out one of the two.`);
  }
  return {
    model,
    generation: {
      promptIds: [...ids],
      maxTokens: Math.min(request.maxTokens ?? roomTokens, roomTokens),
      stopIds: [...new Set([...model.stopIds, ...(request.stopIds ?? [])])],
      sampling,
      ...(grammar && { grammar }),
      ...(request.isBackground && { isBackground: true }),
    },
    reading,
    stop: request.stop ?? [],
    toolForm,
  };
}

/** How many tokens the prompt of a request has. @throws EspalierError as `admitChat` does for the prompt alone */
export async function countPromptTokens(
  request: ChatRequest,
  model: TextModel,
  signal: AbortSignal,
): Promise<number> {
  return (await promptOf(request, model, signal)).ids.length;
}

function promptOf(request: ChatRequest, model: TextModel, signal: AbortSignal): Promise<Prompt> {
  return 'messages' in request ? renderedPrompt(request, model, signal) : rawPrompt(request, model, signal);
}

async function rawPrompt({ prompt }: RawPrompt, model: TextModel, signal: AbortSignal): Promise<Prompt> {
  if (typeof prompt === 'string') {
    return { ids: await model.encode(prompt, signal), reading: 'raw', toolForm: undefined };
  }
  const strange = prompt.find((id) => id >= model.vocabSize);
  if (strange !== undefined) {
    const what = `token id ${strange} is not in the vocabulary of ${model.vocabSize}`;
    throw new EspalierError('invalid_request', `prompt: ${what}.`);
  }
  return { ids: prompt, reading: 'raw', toolForm: undefined };
}

async function renderedPrompt(chat: Conversation, model: TextModel, signal: AbortSignal): Promise<Prompt> {
  const { messages, thinking, toolChoice = 'auto' } = chat;
  const tools = toolChoice === 'none' ? [] : (chat.tools ?? []);
  const { toolForm } = model.renderPrompt;
  if (tools.length > 0 && !toolForm) {
    throw new EspalierError(
      'invalid_request',
      `tools: the chat template of ${model.id} has no form for tools that Espalier knows. Leave tools out, or use a model whose template has one.`,
    );
  }
  if (typeof toolChoice === 'object' && !tools.some(({ name }) => name === toolChoice.name)) {
    throw new EspalierError(
      'invalid_request',
      `tool_choice: there is no tool "${toolChoice.name}" in tools.`,
    );
  }
  if (toolChoice === 'required' && tools.length === 0) {
    throw new EspalierError('invalid_request', 'tool_choice: a tool is demanded, but there are no tools.');
  }
  const rendered = model.renderPrompt(messages, { tools, thinking });
  const isOpen = promptOpensReasoning(rendered);
  const isThinking = isOpen && thinking !== false;
  const prompt = isOpen && thinking === false ? `${rendered.trimEnd()}${EMPTY_REASONING}` : rendered;
  return {
    ids: await model.encode(prompt, signal),
    reading: isThinking ? 'reasoning' : 'answer',
    toolForm: tools.length > 0 ? toolForm : undefined,
  };
}

/** The operator's pins come first, then the client, then the model's makers. */
function samplingOf({ sampling = {} }: AnswerOptions, model: TextModel, pins: SamplingPins): Sampling {
  const asked = Object.entries(sampling).filter(([, value]) => value !== undefined);
  return {
    seed: randomInt(SEED_RANGE),
    ...model.sampling,
    ...(Object.fromEntries(asked) as Partial<Sampling>),
    ...pins,
  };
}
