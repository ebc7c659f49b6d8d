// Several answers to one request as one stream of events, as they come. It must not know dialects.
import type { ChoiceEvent } from './answer.ts';

/** The first that fails ends all of them; so does breaking off. */
export async function* mergeChoices(
  runs: readonly AsyncGenerator<ChoiceEvent, void>[],
): AsyncGenerator<ChoiceEvent, void> {
  const step = async (run: AsyncGenerator<ChoiceEvent, void>) => ({ run, next: await run.next() });
  const steps = new Map(runs.map((run) => [run, step(run)]));
  try {
    while (steps.size > 0) {
      const { run, next } = await Promise.race(steps.values());
      if (next.done) {
        steps.delete(run);
        continue;
      }
      steps.set(run, step(run));
      yield next.value;
    }
  } finally {
    // the others' last steps may fail as well: one reason is told
    for (const pending of steps.values()) pending.catch(() => undefined);
    await Promise.allSettled(runs.map((run) => run.return()));
  }
}
