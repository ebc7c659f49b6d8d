// The pulls and verifications of a controller: those that run, and the last ones that ended, as people see them. It must not know
// what one does.
import { randomUUID } from 'node:crypto';
import { asEspalierError, EspalierError } from '../../protocol/errors.ts';
import { MAX_SHOWN_PULLS } from '../../protocol/limits.ts';
import type { PullProgress } from '../../protocol/models.ts';
import type { NodeNeeds } from './needs.ts';
import type { Pull } from './pull.ts';

export interface Job {
  progress: PullProgress;
  needs: NodeNeeds[];
  pull: Pull | undefined;
  abort: AbortController;
  done: Promise<void>;
  /** what ended it, where it failed */
  error: EspalierError | undefined;
  /** whether people see it: a look that finds everything there is no pull */
  isShown: boolean;
}

export interface PullJobsListener {
  nameOf(nodeId: string): string;
  /** tells people of one that ended */
  note(level: 'info' | 'warn' | 'error', text: string): void;
}

export class PullJobs {
  readonly #jobs: Job[] = [];
  readonly #listener: PullJobsListener;

  constructor(listener: PullJobsListener) {
    this.#listener = listener;
  }

  /** Of those that people see. */
  shown(): PullProgress[] {
    return this.#jobs.filter(({ isShown }) => isShown).map((job) => this.picture(job));
  }

  /** The one of a model that runs, by the model's name or by what it was asked for as. */
  running(model: string): Job | undefined {
    const isOf = ({ model: name, asked }: PullProgress) => name === model || asked === model;
    return this.#jobs.find(({ progress }) => isOf(progress) && isRunning(progress));
  }

  /** Begins one. @param isShown whether people see it from the beginning */
  begin(kind: PullProgress['kind'], model: string, isShown: boolean, task: (job: Job) => Promise<void>): Job {
    const progress: PullProgress = {
      id: randomUUID(),
      kind,
      model,
      asked: model,
      commit: '',
      state: 'describing',
      failure: null,
      damaged: [],
      totalBytes: 0,
      doneBytes: 0,
      hubBytes: 0,
      copiedBytes: 0,
      bytesPerSecond: null,
      remainingSeconds: null,
      nodes: [],
    };
    const job: Job = {
      progress,
      needs: [],
      pull: undefined,
      abort: new AbortController(),
      done: Promise.resolve(),
      error: undefined,
      isShown,
    };
    this.#jobs.push(job);
    this.#forgetOld();
    job.done = task(job).then(
      () => this.#ended(job, 'done'),
      (error) => {
        if (!job.abort.signal.aborted) {
          job.error = asEspalierError(error);
          progress.failure = { code: job.error.code, message: job.error.message };
        }
        this.#ended(job, job.abort.signal.aborted ? 'cancelled' : 'failed');
      },
    );
    return job;
  }

  /** How far it is. */
  picture({ progress, needs, pull }: Job): PullProgress {
    if (!pull) return progress;
    const nameOf = (nodeId: string) => this.#listener.nameOf(nodeId);
    return { ...progress, ...pull.meter.picture(needs, pull.transfers, nameOf, performance.now()) };
  }

  /** Ends all that runs. */
  stop(): void {
    for (const { abort } of this.#jobs)
      abort.abort(new EspalierError('not_ready', 'the controller is stopping'));
  }

  #ended(job: Job, state: 'done' | 'failed' | 'cancelled'): void {
    job.progress = { ...this.picture(job), state };
    job.pull = undefined;
    if (!job.isShown) {
      this.#jobs.splice(this.#jobs.indexOf(job), 1);
      return;
    }
    const { model, failure, hubBytes, copiedBytes, kind } = job.progress;
    const moved = `${gb(hubBytes)} from the hub, ${gb(copiedBytes)} between nodes`;
    const word = kind === 'pull' ? 'pulled' : 'verified';
    if (failure) this.#listener.note('error', `${model} could not be ${word}: ${failure.message}`);
    else
      this.#listener.note(
        'info',
        state === 'done' ? `${model} is ${word}: ${moved}` : `the pull of ${model} was cancelled`,
      );
  }

  #forgetOld(): void {
    const ended = this.#jobs.filter(({ progress }) => !isRunning(progress));
    for (const job of ended.slice(0, Math.max(0, ended.length - MAX_SHOWN_PULLS)))
      this.#jobs.splice(this.#jobs.indexOf(job), 1);
  }
}

function isRunning({ state }: PullProgress): boolean {
  return state === 'describing' || state === 'verifying' || state === 'pulling';
}

function gb(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
