// Messages to prompt text, by the model's own chat template, with the variables that transformers gives it.
// It must not know token ids, requests or dialects.
import { Template } from '@huggingface/jinja';
import { EspalierError } from '../protocol/errors.ts';
import { readModelText, requireModelJson } from './model-file.ts';
import { rewriteStrips, STRIP_FUNCTIONS } from './python-strip.ts';
import { TokenizerConfig } from './tokenizer-config.ts';

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string;
}

/**
 * The prompt text for a conversation, up to where the model goes on.
 * @throws EspalierError invalid_request when the template refuses the messages (some demand that roles alternate)
 */
export type ChatTemplate = (messages: readonly ChatMessage[]) => string;

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
  return (messages) => {
    try {
      // None, not undefined, is what transformers gives for tools and documents.
      return template.render({
        messages,
        tools: null,
        documents: null,
        add_generation_prompt: true,
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
