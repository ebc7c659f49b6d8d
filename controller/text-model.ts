// The text side of a model: everything of a model folder that turns messages into token ids and token ids into text.
// It must not know the weights, the cluster or HTTP.
import { basename, resolve } from 'node:path';
import { z } from 'zod';
import { EspalierError } from '../protocol/errors.ts';
import type { Sampling } from '../protocol/generate.ts';
import { type ChatTemplate, loadChatTemplate } from './chat-template.ts';
import { GrammarThread } from './grammar-thread.ts';
import { assertModelFolder, readModelJson, requireModelJson } from './model-file.ts';
import { loadTokenizer } from './tokenizer.ts';
import { TokenizerThread } from './tokenizer-thread.ts';

/** What generation_config.json says of sampling. */
export type SamplingDefaults = Pick<Sampling, 'temperature' | 'topP'> &
  Partial<Pick<Sampling, 'topK' | 'minP' | 'repetitionPenalty'>>;

export interface TextModel {
  /** what clients call the model */
  readonly id: string;
  /** the prompt text for a conversation */
  readonly renderPrompt: ChatTemplate;
  /** The ids of a text; a long one is encoded in a thread of its own. @throws EspalierError, or the signal's reason */
  encode(text: string, signal?: AbortSignal): Promise<number[]>;
  /** the text of some ids, without special ones */
  decode(ids: readonly number[]): string;
  /** the bytes of one token, special ones by their name; none for an id that is no token */
  tokenBytes(id: number): Uint8Array;
  /**
   * Whether answers can be held to a grammar: compiled with this model's vocabulary, in a thread of its own.
   * @throws EspalierError invalid_request that says what is wrong with it, or the signal's reason
   */
  checkGrammar(structuralTag: string, signal?: AbortSignal): Promise<void>;
  /** the tokens that end an answer */
  readonly stopIds: readonly number[];
  /** what the model's makers sample with; clients' values come first */
  readonly sampling: SamplingDefaults;
  /** prompt and answer together, in tokens */
  readonly contextTokens: number;
  readonly vocabSize: number;
  /** ends the threads, if any were started */
  close(): Promise<void>;
}

export interface TextModelOptions {
  /** the model's id instead of the folder's name */
  id?: string;
  /** a smaller context than the model's own, for a cluster that holds less */
  contextTokens?: number;
}

const Config = z.looseObject({
  vocab_size: z.int().min(1),
  max_position_embeddings: z.int().min(1),
  eos_token_id: z.union([z.int().min(0), z.array(z.int().min(0)).max(64)]).nullish(),
});

const GenerationConfig = z.looseObject({
  eos_token_id: Config.shape.eos_token_id,
  do_sample: z.boolean().nullish(),
  temperature: z.number().min(0).max(100).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().min(0.01).max(100).nullish(),
});
type GenerationConfig = z.infer<typeof GenerationConfig>;

/**
 * Loads the text side of a model folder.
 * @throws EspalierError model_folder_missing, model_file_missing, model_file_damaged, model_mismatch
 */
export async function loadTextModel(modelDir: string, options: TextModelOptions = {}): Promise<TextModel> {
  await assertModelFolder(modelDir);
  const config = await requireModelJson(modelDir, 'config.json', Config);
  const generation = await readModelJson(modelDir, 'generation_config.json', GenerationConfig);
  const tokenizer = await loadTokenizer(modelDir);
  const renderPrompt = await loadChatTemplate(modelDir);
  const stopIds = toList(generation?.eos_token_id ?? config.eos_token_id ?? tokenizer.eosId);
  if (stopIds.length === 0) {
    throw new EspalierError(
      'model_mismatch',
      `${modelDir} does not say what ends an answer: eos_token_id is in neither generation_config.json nor config.json.`,
    );
  }
  checkIds(modelDir, tokenizer.idCount, stopIds, config.vocab_size);
  const thread = new TokenizerThread(modelDir, tokenizer);
  const grammars = new GrammarThread(modelDir);
  return {
    id: options.id ?? basename(resolve(modelDir)),
    renderPrompt,
    encode: (text, signal) => thread.encode(text, signal),
    decode: tokenizer.decode,
    tokenBytes: tokenizer.tokenBytes,
    checkGrammar: (structuralTag, signal) => grammars.check(structuralTag, signal),
    stopIds,
    sampling: samplingOf(generation),
    contextTokens: Math.min(
      config.max_position_embeddings,
      options.contextTokens ?? Number.POSITIVE_INFINITY,
    ),
    vocabSize: config.vocab_size,
    close: async () => {
      await Promise.all([thread.close(), grammars.close()]);
    },
  };
}

function toList(ids: number | number[] | null | undefined): number[] {
  if (ids === null || ids === undefined) return [];
  return typeof ids === 'number' ? [ids] : ids;
}

/** `do_sample: false` is how transformers says greedy; without a file OpenAI's defaults hold. */
function samplingOf(generation: GenerationConfig | undefined): SamplingDefaults {
  const temperature = generation?.do_sample === false ? 0 : (generation?.temperature ?? 1);
  const { top_k: topK, min_p: minP, repetition_penalty: repetitionPenalty } = generation ?? {};
  return {
    temperature,
    topP: generation?.top_p ?? 1,
    ...(topK && { topK }),
    ...(minP && { minP }),
    ...(repetitionPenalty && repetitionPenalty !== 1 && { repetitionPenalty }),
  };
}

/** A tokenizer with more ids than the model has rows would make the stages read outside of their tables. */
function checkIds(modelDir: string, idCount: number, stopIds: readonly number[], vocabSize: number): void {
  if (idCount > vocabSize) {
    throw new EspalierError(
      'model_mismatch',
      `tokenizer.json in ${modelDir} has ${idCount} token ids, but vocab_size in config.json is ${vocabSize}.`,
    );
  }
  const wrong = stopIds.find((id) => id >= vocabSize);
  if (wrong !== undefined) {
    throw new EspalierError(
      'model_mismatch',
      `eos_token_id ${wrong} in ${modelDir} is no token: vocab_size in config.json is ${vocabSize}.`,
    );
  }
}
