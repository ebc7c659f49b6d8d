// What the controller had deployed, in a file of its home: a controller that is started anew takes it over from the
// agents, which keep their stages for a while. Nothing depends on the file: without it the stages load anew.
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { DEFAULT_PLANNING, EngineName, Goal, LayerRange, Link, PlannedDraft } from '../protocol/plan.ts';
import { Split } from '../protocol/ranks.ts';
import type { SavedDeployment } from './cluster/state.ts';
import { LatestFile } from './latest-file.ts';
import type { Planning } from './planning.ts';

const FILE = 'deployment.json';

const File = z.object({
  /** of the question that the plan answers: another one needs another plan */
  asked: z.string(),
  deployment: z.object({
    epoch: z.int().min(1),
    plan: z.object({
      engine: EngineName,
      split: Split.exactOptional(),
      engineReason: z.string().exactOptional(),
      modelId: z.string(),
      goal: Goal,
      streams: z.int(),
      contextTokens: z.int(),
      stages: z.array(
        z.object({ index: z.int(), nodeId: z.string(), range: LayerRange, weightBytes: z.number() }),
      ),
      links: z.array(Link),
      prefillBytes: z.number(),
      kvTokens: z.int(),
      draft: PlannedDraft.exactOptional(),
    }),
  }),
});

/** What a plan is for: the model's files, and what its user wants. */
export interface Asked {
  modelFingerprint: string;
  planning: Planning | undefined;
  wantedNodes: number | undefined;
  /** of the draft beside the model: the first stage has less room with one */
  draftBytes?: number | undefined;
}

export class DeploymentStore {
  readonly #file: LatestFile;
  #asked: string;

  /** @param home ESPALIER_HOME, which exists */
  constructor(home: string, asked: Asked, log: Logger) {
    this.#file = new LatestFile(join(home, FILE), log);
    this.#asked = keyOf(asked);
  }

  /** Another model is deployed from now on. */
  use(asked: Asked): void {
    this.#asked = keyOf(asked);
  }

  /** @returns undefined where there is none for this question, or it cannot be read */
  async read(): Promise<SavedDeployment | undefined> {
    const parse = (text: string) => File.parse(JSON.parse(text));
    const found = await this.#file.read(parse, 'the stages are planned anew');
    return found?.asked === this.#asked ? found.deployment : undefined;
  }

  /** Resolves when it is on the disk, or could not be written. */
  save(deployment: SavedDeployment): Promise<void> {
    const text = JSON.stringify({ asked: this.#asked, deployment } satisfies z.infer<typeof File>);
    return this.#file.write(() => text);
  }

  /** Resolves when everything is on the disk, or could not be written. */
  close(): Promise<void> {
    return this.#file.idle();
  }
}

function keyOf({
  modelFingerprint,
  planning = DEFAULT_PLANNING,
  wantedNodes,
  draftBytes = 0,
}: Asked): string {
  // how many guesses are right is no wish, and becomes known only while a model runs
  const { guessYield: _, ...wished }: Planning = planning;
  return JSON.stringify([modelFingerprint, wished, wantedNodes ?? null, draftBytes]);
}
