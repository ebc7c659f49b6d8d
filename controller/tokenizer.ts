// Text to token ids and back, by a model folder's tokenizer.json and tokenizer_config.json.
// It must not know templates, requests or streams.
import { Tokenizer } from '@huggingface/tokenizers';
import { EspalierError } from '../protocol/errors.ts';
import { isHidden, TokenizerFile, tokenBytes, vocabularyOf } from '../protocol/vocabulary.ts';
import { requireModelJson } from './model-file.ts';
import { TokenizerConfig } from './tokenizer-config.ts';

export interface TextTokenizer {
  /** The ids of a text. Special tokens in the text become their ids; none are added. */
  encode(text: string): number[];
  /** The text of some ids, special and unknown ones left out. Half characters at the ends become U+FFFD. */
  decode(ids: readonly number[]): string;
  /** the bytes of one token, special ones by their name; none for an id that is no token */
  tokenBytes(id: number): Uint8Array;
  /** one more than the highest id */
  readonly idCount: number;
  /** the id of tokenizer_config.json's eos_token */
  readonly eosId: number | undefined;
}

/**
 * Loads the tokenizer of a model folder. R1's takes half a second and 100 MB.
 * @throws EspalierError model_file_missing, model_file_damaged, model_mismatch
 */
export async function loadTokenizer(modelDir: string): Promise<TextTokenizer> {
  const file = await requireModelJson(modelDir, 'tokenizer.json', TokenizerFile);
  const config = await requireModelJson(modelDir, 'tokenizer_config.json', TokenizerConfig);
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(file, config);
  } catch (error) {
    throw new EspalierError(
      'model_file_damaged',
      `tokenizer.json in ${modelDir} cannot be used (${(error as Error).message}).`,
      { cause: error },
    );
  }
  const hidden = new Set<number>();
  for (const token of file.added_tokens) {
    if (isHidden(token)) hidden.add(token.id);
  }
  let highestId = -1;
  for (const id of tokenizer.get_vocab().values()) highestId = Math.max(highestId, id);
  const vocabulary = vocabularyOf(file);
  return {
    tokenBytes: (id) => tokenBytes(vocabulary, id),
    idCount: highestId + 1,
    eosId: config.eos_token === undefined ? undefined : tokenizer.token_to_id(config.eos_token),
    encode: (text) => (text === '' ? [] : tokenizer.encode(text, { add_special_tokens: false }).ids),
    decode: (ids) => {
      const shown = ids.filter((id) => !hidden.has(id) && tokenizer.id_to_token(id) !== undefined);
      // Cleaning up spaces would make the text of a stream depend on where it was cut.
      return shown.length === 0 ? '' : tokenizer.decode(shown, { clean_up_tokenization_spaces: false });
    },
  };
}
