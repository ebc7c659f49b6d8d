// The demo model's draft as a source of guesses in this process.
import { Engine } from '../../agent/engine/engine.ts';
import { DraftSource } from '../../agent/stage/speculation/draft-source.ts';
import { demoModelDir } from './paths.ts';
import { settle } from './stages.ts';

export const demoDraftDir = `${demoModelDir}/draft`;

export async function demoDraft(): Promise<DraftSource> {
  const limits = { contextTokens: 4096, maxSessions: 64, kvTokens: 1 << 16 };
  const range = { start: 0, end: 2 };
  return new DraftSource(await Engine.load({ modelDir: demoDraftDir, range, ...limits, settle }), settle);
}
