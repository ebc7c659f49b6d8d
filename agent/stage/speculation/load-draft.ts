// A draft from its folder, ready to guess: the same beside the first stage and in a process of its own.
import { openModelFolder } from '../../../protocol/model-folder.ts';
import { DraftSource } from './draft-source.ts';

/** How much it must be able to hold. */
export interface DraftLimits {
  contextTokens: number;
  maxSessions: number;
  kvTokens: number;
}

/**
 * @param settle frees what loading and drawing left behind
 * @param fingerprint of the folder that is meant; any where it is undefined
 * @throws EspalierError what a model folder can be wrong with, engine_failed
 */
export async function loadDraft(
  dir: string,
  limits: DraftLimits,
  settle: () => Promise<void>,
  fingerprint?: string,
): Promise<DraftSource> {
  const { num_hidden_layers: end } = (await openModelFolder(dir)).config;
  const { Engine } = await import('../../engine/engine.ts');
  const range = { start: 0, end };
  const meant = fingerprint === undefined ? {} : { fingerprint };
  const engine = await Engine.load({ modelDir: dir, range, ...limits, ...meant, settle });
  const source = new DraftSource(engine, settle);
  await source.warmUp();
  return source;
}
