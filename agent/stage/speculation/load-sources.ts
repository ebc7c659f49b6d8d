// What the first stage guesses with, as its deployment says. A draft that cannot be loaded costs speed, never the stage:
// it is told of on standard error, which the agent logs.
import { asEspalierError } from '../../../protocol/errors.ts';
import type { StageSpec } from '../../../protocol/stage.ts';
import type { DraftSource } from './draft-source.ts';
import { loadDraft } from './load-draft.ts';
import { NgramSource } from './ngram-source.ts';
import { RemoteDraft } from './remote-draft.ts';
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
  const { draftDir: dir, draftKvTokens: kvTokens = contextTokens, draftPlace } = speculation ?? {};
  const isElsewhere = dir === undefined || draftPlace === 'apart' || range.start > 0;
  if (isElsewhere || stageCount === 1) return undefined;
  held?.source.clear();
  if (held?.dir === dir) {
    await held.source.limit({ contextTokens, maxSessions, kvTokens });
    return held;
  }
  try {
    return { dir, source: await loadDraft(dir, { contextTokens, maxSessions, kvTokens }, settle) };
  } catch (error) {
    process.stderr.write(`no draft from ${dir}: ${asEspalierError(error).message}\n`);
    return undefined;
  }
}

/** All sources of a place, which may be none. @param remote the draft on another node, where the plan has it there */
export function sourcesOf(
  { speculation }: StageSpec,
  draft: LoadedDraft | undefined,
  remote?: RemoteDraft,
): GuessSource[] {
  const mode = speculation?.mode ?? 'off';
  if (mode === 'off') return [];
  const ngram = mode === 'draft' ? [] : [new NgramSource()];
  const drafted = draft?.source ?? remote;
  return drafted ? [drafted, ...ngram] : ngram;
}

/** The draft on another node that a place is guessed for by, before there is a hop to it; undefined where there is none. */
export function remoteDraftOf({ range, stageCount, speculation }: StageSpec): RemoteDraft | undefined {
  const { mode = 'off', draftPlace } = speculation ?? {};
  if (mode === 'off' || draftPlace !== 'apart' || range.start > 0 || stageCount === 1) return undefined;
  return new RemoteDraft({
    nowMs: () => performance.now(),
    later: (ms, task) => void setTimeout(task, ms).unref(),
  });
}
