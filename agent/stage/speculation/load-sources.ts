// What the first stage guesses with, as its deployment says. A draft that cannot be loaded costs speed, never the stage:
// it is told of on standard error, which the agent logs.
import { asEspalierError } from '../../../protocol/errors.ts';
import { openModelFolder } from '../../../protocol/model-folder.ts';
import type { StageSpec } from '../../../protocol/stage.ts';
import { DraftSource } from './draft-source.ts';
import { NgramSource } from './ngram-source.ts';
import type { GuessSource } from './source.ts';

/** A draft that is loaded, and from where. */
export interface LoadedDraft {
  dir: string;
  source: DraftSource;
}

/**
 * The draft that a place needs.
 * @param held what the worker has loaded already
 * @returns undefined where the place needs none, or it cannot be loaded
 */
export async function draftFor(
  { range, stageCount, contextTokens, maxSessions, speculation }: StageSpec,
  held: LoadedDraft | undefined,
  settle: () => Promise<void>,
): Promise<LoadedDraft | undefined> {
  const { draftDir: dir, draftKvTokens: kvTokens = contextTokens } = speculation ?? {};
  if (dir === undefined || range.start > 0 || stageCount === 1) return undefined;
  held?.source.clear();
  if (held?.dir === dir) {
    await held.source.limit({ contextTokens, maxSessions, kvTokens });
    return held;
  }
  try {
    const { num_hidden_layers: end } = (await openModelFolder(dir)).config;
    const { Engine } = await import('../../engine/engine.ts');
    const limits = { contextTokens, maxSessions, kvTokens };
    const engine = await Engine.load({ modelDir: dir, range: { start: 0, end }, ...limits, settle });
    const source = new DraftSource(engine, settle);
    await source.warmUp();
    return { dir, source };
  } catch (error) {
    process.stderr.write(`no draft from ${dir}: ${asEspalierError(error).message}\n`);
    return undefined;
  }
}

/** All sources of a place, which may be none. */
export function sourcesOf({ speculation }: StageSpec, draft: LoadedDraft | undefined): GuessSource[] {
  const mode = speculation?.mode ?? 'off';
  if (mode === 'off') return [];
  const ngram = mode === 'draft' ? [] : [new NgramSource()];
  return draft ? [draft.source, ...ngram] : ngram;
}
