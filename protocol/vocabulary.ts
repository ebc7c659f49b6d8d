// The tokens of a model as tokenizer.json has them: both sides read it, the controller to tell what a token is, the last
// stage to hold an answer to a grammar. It must not know templates or how text is cut into tokens.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EspalierError } from './errors.ts';

const AddedToken = z.looseObject({
  id: z.int().min(0),
  content: z.string(),
  special: z.boolean().optional(),
});

export const TokenizerFile = z.looseObject({
  added_tokens: z.array(AddedToken).default([]),
  model: z.looseObject({
    vocab: z.record(z.string(), z.int().min(0)).catch({}),
    byte_fallback: z.boolean().nullish(),
  }),
  decoder: z.unknown().optional(),
});
export type TokenizerFile = z.infer<typeof TokenizerFile>;

/** How tokens stand for bytes: a letter for each byte (GPT-2's table) · text with <0x0A> for single bytes · text */
export type ByteForm = 'byte_level' | 'byte_fallback' | 'raw';

export interface Vocabulary {
  /** by id, as the file writes them; undefined where an id is not used */
  tokens: readonly (string | undefined)[];
  form: ByteForm;
  /** ids of added tokens: their text is plain text, whatever the form */
  added: ReadonlySet<number>;
  /** ids of special tokens, which are never text */
  hidden: ReadonlySet<number>;
}

/** Some models call these special; whoever tells reasoning from answer must see them all the same. */
const ALWAYS_SHOWN = new Set(['<think>', '</think>']);

/** Whether an added token is a mark that is not shown. */
export function isHidden({ special, content }: z.infer<typeof AddedToken>): boolean {
  return special === true && !ALWAYS_SHOWN.has(content);
}

export function vocabularyOf({ model, added_tokens, decoder }: TokenizerFile): Vocabulary {
  const tokens: (string | undefined)[] = [];
  for (const [text, id] of Object.entries(model.vocab)) tokens[id] = text;
  for (const { id, content } of added_tokens) tokens[id] = content;
  const isByteLevel = JSON.stringify(decoder ?? null).includes('"ByteLevel"');
  return {
    // without holes
    tokens: Array.from(tokens),
    form: isByteLevel ? 'byte_level' : model.byte_fallback ? 'byte_fallback' : 'raw',
    added: new Set(added_tokens.map(({ id }) => id)),
    hidden: new Set(added_tokens.filter(isHidden).map(({ id }) => id)),
  };
}

/**
 * The vocabulary of a model folder. R1's takes 0.2 s.
 * @throws EspalierError model_file_missing, model_file_damaged
 */
export async function readVocabulary(modelDir: string): Promise<Vocabulary> {
  const text = await readFile(join(modelDir, 'tokenizer.json'), 'utf8').catch((error: Error) => {
    throw new EspalierError('model_file_missing', `tokenizer.json in ${modelDir} cannot be read.`, {
      cause: error,
    });
  });
  try {
    return vocabularyOf(TokenizerFile.parse(JSON.parse(text)));
  } catch (error) {
    throw new EspalierError('model_file_damaged', `tokenizer.json in ${modelDir} cannot be used.`, {
      cause: error,
    });
  }
}

/** The bytes of a token; none for an id that is no token. */
export function tokenBytes({ tokens, form, added }: Vocabulary, id: number): Uint8Array {
  const text = tokens[id] ?? '';
  if (added.has(id) || form === 'raw') return Buffer.from(text);
  if (form === 'byte_level') return Uint8Array.from(text, (letter) => BYTE_OF.get(letter) ?? 0x3f);
  const byte = /^<0x([0-9A-F]{2})>$/.exec(text);
  return byte
    ? Uint8Array.of(Number.parseInt(byte[1] as string, 16))
    : Buffer.from(text.replaceAll('▁', ' '));
}

/** GPT-2's table (openai/gpt-2, encoder.py, bytes_to_unicode): printable bytes are themselves, others follow at 256. */
const BYTE_OF = byteTable();

function byteTable(): Map<string, number> {
  const table = new Map<string, number>();
  let others = 0;
  for (let byte = 0; byte < 256; byte++) {
    const isPrintable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
    table.set(String.fromCodePoint(isPrintable ? byte : 256 + others++), byte);
  }
  return table;
}
