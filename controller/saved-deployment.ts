// What the controller had deployed, in a file of its home: a controller that is started anew takes it over from the
// agents, which keep their stages for a while. Nothing depends on the file: without it the stages load anew.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { EngineName, Goal, LayerRange, Link } from '../protocol/plan.ts';
import type { SavedDeployment } from './cluster/state.ts';
import type { Planning } from './planning.ts';

const FILE = 'deployment.json';

const File = z.object({
  /** of the question that the plan answers: another one needs another plan */
  asked: z.string(),
  deployment: z.object({
    epoch: z.int().min(1),
    plan: z.object({
      engine: EngineName,
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
    }),
  }),
});

/** What a plan is for: the model's files, and what its user wants. */
export interface Asked {
  modelFingerprint: string;
  planning: Planning | undefined;
  wantedNodes: number | undefined;
}

export class DeploymentStore {
  readonly #path: string;
  readonly #asked: string;
  readonly #log: Logger;
  #saving: Promise<void> = Promise.resolve();

  /** @param home ESPALIER_HOME, which exists */
  constructor(home: string, asked: Asked, log: Logger) {
    this.#path = join(home, FILE);
    this.#asked = JSON.stringify([asked.modelFingerprint, asked.planning ?? null, asked.wantedNodes ?? null]);
    this.#log = log;
  }

  /** @returns undefined where there is none for this question, or it cannot be read */
  async read(): Promise<SavedDeployment | undefined> {
    try {
      const { asked, deployment } = File.parse(JSON.parse(await readFile(this.#path, 'utf8')));
      return asked === this.#asked ? deployment : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn({ err: error }, `${this.#path} cannot be used: the stages are planned anew`);
      return undefined;
    }
  }

  /** Resolves when it is on the disk, or could not be written. */
  save(deployment: SavedDeployment): Promise<void> {
    const text = JSON.stringify({ asked: this.#asked, deployment } satisfies z.infer<typeof File>);
    this.#saving = this.#saving
      .then(() => writeFile(`${this.#path}.new`, text))
      .then(() => rename(`${this.#path}.new`, this.#path))
      .catch((error: unknown) => this.#log.warn({ err: error }, `${this.#path} could not be written`));
    return this.#saving;
  }

  /** Resolves when everything is on the disk, or could not be written. */
  close(): Promise<void> {
    return this.#saving;
  }
}
