// How far a pull of a model has come, as text. Pure; every figure is the controller's, and the estimate says that it is one.
import type { NodePull, PullProgress } from '../protocol/models.ts';

/** How far it is, in a line. */
export function pullLine(pull: PullProgress): string {
  const { kind, model, state, doneBytes, totalBytes, bytesPerSecond, remainingSeconds } = pull;
  if (state === 'describing') return `${model}: asking what it consists of`;
  if (state === 'verifying')
    return `${model}: reading ${fileCount(pull)} files on ${pull.nodes.length} nodes`;
  const rate = bytesPerSecond === null ? '' : `, ${diskBytes(bytesPerSecond)}/s`;
  const rest = remainingSeconds === null ? '' : `, about ${roughDuration(remainingSeconds)} left (estimate)`;
  const word = kind === 'verify' && state === 'done' ? 'verified' : state;
  const share = percent(doneBytes, totalBytes, 0);
  return `${model}: ${word}, ${diskBytes(doneBytes)} of ${diskBytes(totalBytes)} (${share} %)${isPulling(pull) ? rate + rest : ''}`;
}

/** The files that move to a node now, or why none does. */
export function movesOf({ active, waits }: NodePull): string[] {
  const moves = active.map(({ path, doneBytes, sizeBytes, from, waits: why }) => {
    return `${path} ${percent(doneBytes, sizeBytes, 100)} % from ${from}${why === null ? '' : `; ${why}; asked again`}`;
  });
  return moves.length > 0 || waits === null ? moves : [waits];
}

export function isPulling({ state }: Pick<PullProgress, 'state'>): boolean {
  return state === 'describing' || state === 'verifying' || state === 'pulling';
}

/** Decimal units, as disks and networks are sold. */
export function diskBytes(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} GB`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} MB`;
  return `${Math.ceil(count / 1e3)} kB`;
}

export function roughDuration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3_600).toFixed(1)} h`;
}

/** @param ofNothing what all of nothing is */
export function percent(done: number, total: number, ofNothing: number): number {
  return total > 0 ? Math.floor((100 * done) / total) : ofNothing;
}

function fileCount({ nodes }: PullProgress): number {
  return nodes.reduce((sum, { files }) => sum + files, 0);
}
