// What the stages are told of a request when its session opens: only what somebody needs to draw its tokens. Pure.
import type { GenerateRequest } from '../../protocol/generate.ts';
import type { SessionOp, SessionSource } from '../engine/step.ts';

/**
 * @param session its number @param from KV that it begins with
 * @returns what every stage is told
 */
export function openOp(
  session: number,
  request: GenerateRequest,
  from: SessionSource | undefined,
): SessionOp {
  const { requestId, sampling, maxTokens, stopIds, promptIds, generatedIds = [], grammar } = request;
  const op: SessionOp = { op: 'open', session, requestId, sampling, maxTokens, stopIds };
  if (from) op.from = from;
  if (grammar) op.grammar = grammar;
  // the last stage sees no token ids but those it draws: penalties alone need to know which others there are
  const isRepetition = (sampling.repetitionPenalty ?? 1) !== 1;
  if (isRepetition) op.promptIds = [...new Set(promptIds)].sort((a, b) => a - b);
  if (generatedIds.length > 0) {
    const isCounted = isRepetition || sampling.presencePenalty || sampling.frequencyPenalty;
    op.generated = {
      count: generatedIds.length,
      ...(isCounted && { counts: countsOf(generatedIds) }),
      ...(grammar && { ids: generatedIds }),
    };
  }
  return op;
}

/** How often each id is there, ascending. */
function countsOf(ids: readonly number[]): [id: number, count: number][] {
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a - b);
}
