// What Espalier reads of tokenizer_config.json: the special tokens by name, and the chat template.
import { z } from 'zod';

/** A token by its text, or as the object that transformers writes for an added token. */
const TokenText = z
  .union([z.string(), z.looseObject({ content: z.string() }).transform((token) => token.content)])
  .nullish()
  .transform((token) => token ?? undefined);

const NamedTemplate = z.object({ name: z.string(), template: z.string() });

export const TokenizerConfig = z.looseObject({
  bos_token: TokenText,
  eos_token: TokenText,
  unk_token: TokenText,
  pad_token: TokenText,
  sep_token: TokenText,
  cls_token: TokenText,
  mask_token: TokenText,
  chat_template: z.union([z.string(), z.array(NamedTemplate)]).nullish(),
});
export type TokenizerConfig = z.infer<typeof TokenizerConfig>;
