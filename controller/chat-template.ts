// Messages to prompt text, by the model's own chat template, with the variables that transformers gives it.
// It must not know token ids, requests or dialects.
import { Template } from '@huggingface/jinja';
import { EspalierError } from '../protocol/errors.ts';
import type { ChatMessage, JsonObject, Tool } from './chat-request.ts';
import { readModelText, requireModelJson } from './model-file.ts';
import { rewriteStrips, STRIP_FUNCTIONS } from './python-strip.ts';
import { TokenizerConfig } from './tokenizer-config.ts';
import { toolFormOf } from './tools/forms.ts';
import { declaration, parsedJson, type ToolForm } from './tools/tool-form.ts';

export interface PromptOptions {
  /** what the model may call; only for a template with a `toolForm` */
  tools?: readonly Tool[] | undefined;
  /** false: the model is to answer without thinking, for templates that know such a switch */
  thinking?: boolean | undefined;
}

export interface ChatTemplate {
  /**
   * The prompt text for a conversation, up to where the model goes on.
   * @throws EspalierError invalid_request when the template refuses the messages (some demand that roles alternate)
   */
  (messages: readonly ChatMessage[], options?: PromptOptions): string;
  /** how calls of tools are written; undefined where the template has no form for them */
  readonly toolForm: ToolForm | undefined;
}

/**
 * Reads the template of a model folder: chat_template.jinja, or else `chat_template` in tokenizer_config.json.
 * @throws EspalierError model_file_missing, model_file_damaged, model_mismatch
 */
export async function loadChatTemplate(modelDir: string): Promise<ChatTemplate> {
  const config = await requireModelJson(modelDir, 'tokenizer_config.json', TokenizerConfig);
  const ownFile = await readModelText(modelDir, 'chat_template.jinja');
  const source = ownFile ?? inConfig(config.chat_template);
  if (source === undefined) {
    throw new EspalierError(
      'model_file_missing',
      `${modelDir} has no chat template: neither chat_template.jinja nor chat_template in tokenizer_config.json.`,
    );
  }
  try {
    return compileChatTemplate(source, specialTokens(config));
  } catch (error) {
    const file = ownFile === undefined ? 'chat_template in tokenizer_config.json' : 'chat_template.jinja';
    throw new EspalierError(
      'model_file_damaged',
      `${file} in ${modelDir} cannot be used (${(error as Error).message}).`,
      { cause: error },
    );
  }
}

/**
 * Compiles a Jinja chat template.
 * @param tokens the special tokens by their name in the template (bos_token, eos_token, …)
 * @throws Error when it is not a template
 */
export function compileChatTemplate(source: string, tokens: Record<string, string>): ChatTemplate {
  const template = new Template(source);
  rewriteStrips(template);
  const toolForm = toolFormOf(source);
  const render = (messages: readonly ChatMessage[], { tools = [], thinking }: PromptOptions = {}): string => {
    const listed = tools.length > 0 && toolForm?.list ? toolForm.list(tools) : undefined;
    const told =
      listed === undefined ? messages : [{ role: 'system' as const, content: listed }, ...messages];
    try {
      // None, not undefined, is what transformers gives for tools and documents.
      return template.render({
        messages: told.map((message) => templateMessage(message, toolForm)),
        tools: tools.length > 0 && listed === undefined ? tools.map(declaration) : null,
        documents: null,
        add_generation_prompt: true,
        ...(thinking !== undefined && { enable_thinking: thinking, thinking }),
        ...tokens,
        ...STRIP_FUNCTIONS,
      });
    } catch (error) {
      throw new EspalierError(
        'invalid_request',
        `The model's chat template refuses these messages: ${(error as Error).message}.`,
        { cause: error },
      );
    }
  };
  return Object.assign(render, { toolForm });
}

/** A message as transformers hands it to templates: what is not there is left out, since templates look for the name. */
function templateMessage(message: ChatMessage, form: ToolForm | undefined): JsonObject {
  const { role, content, reasoning, toolCalls = [], toolCallId, name } = message;
  return {
    role,
    content,
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(toolCalls.length > 0 && {
      // DeepSeek's templates know a call by the missing content
      content: content === '' && form?.argumentsAs === 'text' ? null : content,
      tool_calls: toolCalls.map((call) => ({
        id: call.id,
        type: 'function',
        function: {
          name: call.name,
          arguments: form?.argumentsAs === 'text' ? call.arguments : parsedJson(call.arguments),
        },
      })),
    }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
    ...(name !== undefined && { name }),
  };
}

/** Of several named templates transformers takes `default`. */
function inConfig(template: TokenizerConfig['chat_template']): string | undefined {
  if (!Array.isArray(template)) return template ?? undefined;
  const named = template.find(({ name }) => name === 'default') ?? template[0];
  return named?.template;
}

function specialTokens(config: TokenizerConfig): Record<string, string> {
  const { bos_token, eos_token, unk_token, pad_token, sep_token, cls_token, mask_token } = config;
  const tokens = { bos_token, eos_token, unk_token, pad_token, sep_token, cls_token, mask_token };
  return Object.fromEntries(
    Object.entries(tokens).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
