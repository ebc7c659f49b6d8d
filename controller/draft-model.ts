// The draft beside a model: a small model of the same vocabulary, whose tokens are guesses. Finds it, checks that it speaks
// the same tokens, and says what it takes; loading it is the first stage's business.
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EspalierError } from '../protocol/errors.ts';
import { type ModelFolder, openModelFolder } from '../protocol/model-folder.ts';
import type { ModelCard } from '../protocol/plan.ts';
import {
  DRAFT_YIELD,
  NGRAM_YIELD,
  type SpeculationMode,
  type SpeculationSpec,
} from '../protocol/speculation.ts';
import { readModelCard } from './models/card.ts';
import { modelBytes } from './models/card-of.ts';

/** Where a model's own draft lies, in the model's folder. */
const DRAFT_FOLDER = 'draft';
/** Bytes of one number of the draft's KV: stages on the CPU compute in float32; on Metal it is half of this. */
const VALUE_BYTES = 4;

export interface ChosenSpeculation {
  spec: SpeculationSpec;
  /** what the first stage holds with it */
  draft: ModelCard['draft'];
  /** the share of guesses that plans take to be right, before anything is measured (estimates) */
  guessYield: number;
  /** why there is no draft where there could be one */
  note: string | undefined;
}

export interface SpeculationWish {
  mode: SpeculationMode;
  /** the draft's folder; undefined: the model's own, if it has one */
  draftDir?: string | undefined;
  /** tokens of the longest conversation that is planned for */
  contextTokens: number;
}

/**
 * What a model's deployments guess with.
 * @throws EspalierError where a draft was asked for and cannot be used: bad_option, and what a model folder can be wrong with
 */
export async function chooseSpeculation(
  model: ModelFolder,
  wish: SpeculationWish,
): Promise<ChosenSpeculation> {
  const { mode, draftDir, contextTokens } = wish;
  const guessYield = yieldWithoutDraft(mode);
  const without = { spec: { mode }, draft: undefined, guessYield, note: undefined };
  if (mode === 'off' || mode === 'ngram') return without;
  const own = join(model.dir, DRAFT_FOLDER);
  const isAsked = draftDir !== undefined || mode === 'draft';
  if (!isAsked && !(await exists(join(own, 'config.json')))) return without;
  try {
    const draft = await openModelFolder(draftDir ?? own);
    await checkVocabulary(model, draft);
    const card = await readModelCard(draft);
    const { dir, fingerprint: draftFingerprint } = draft;
    const spec = { mode, draftDir: dir, draftFingerprint, draftKvTokens: contextTokens };
    return {
      spec,
      draft: draftOf(card, contextTokens),
      guessYield: DRAFT_YIELD,
      note: undefined,
    };
  } catch (error) {
    if (isAsked || !(error instanceof EspalierError)) throw error;
    return { ...without, note: `no draft: ${error.message}` };
  }
}

/** The share of guesses that plans take to be right where there is no draft (an estimate). */
export function yieldWithoutDraft(mode: SpeculationMode): number {
  return mode === 'off' || mode === 'draft' ? 0 : NGRAM_YIELD;
}

/** A model's draft as its card tells of it. @param contextTokens of KV that it has room for */
export function draftOf(card: ModelCard, contextTokens: number): NonNullable<ModelCard['draft']> {
  const { kvValuesPerTokenLayer, layerCount } = card;
  const weightBytes = modelBytes(card);
  const kvBytes = kvValuesPerTokenLayer * layerCount * VALUE_BYTES * contextTokens;
  return { weightBytes, bytes: weightBytes + kvBytes, layerCount };
}

async function checkVocabulary(model: ModelFolder, draft: ModelFolder): Promise<void> {
  // models of one family pad the same vocabulary to different sizes: the tokens are what counts
  if ((await tokenizerOf(model)) === (await tokenizerOf(draft))) return;
  throw new EspalierError(
    'bad_option',
    `the draft in ${draft.dir} has another vocabulary than the model: a draft must have the model's own tokenizer.json`,
  );
}

/** The ids of all tokens by their text: what else a tokenizer says is of no matter here. */
async function tokenizerOf({ dir }: ModelFolder): Promise<string> {
  const text = await readFile(join(dir, 'tokenizer.json'), 'utf8').catch(() => '{}');
  try {
    const { model, added_tokens: added } = JSON.parse(text) as {
      model?: { vocab?: unknown };
      added_tokens?: unknown;
    };
    return JSON.stringify([model?.vocab, added]);
  } catch {
    throw new EspalierError('model_file_damaged', `${join(dir, 'tokenizer.json')} is no JSON`);
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
