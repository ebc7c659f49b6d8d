// A thread that does one job after the other, so that a long one holds up nothing else: started with the first job, and
// again when it was lost. It must not know what the jobs are.
import { Worker } from 'node:worker_threads';
import { asEspalierError, EspalierError } from '../protocol/errors.ts';

/** What a thread answers to each job: its value, or what is wrong with the job. */
export type JobAnswer<Value> = { value: Value } | { error: string; code?: string };

export interface JobThreadOptions {
  /** the compiled file that the thread runs; it answers each message with a JobAnswer */
  entry: URL;
  workerData: unknown;
  /** what the thread is called in messages */
  name: string;
  timeoutMs: number;
  /** a job that took too long */
  tooLong: () => EspalierError;
  /** a job that the thread answered with an error */
  refused: (message: string, code: string | undefined) => EspalierError;
  /** which jobs the thread is of no use after, or should give back the memory of; left out: it lives on */
  endsAfter?: 'errors' | 'every job';
}

export class JobThread<Job, Value> {
  readonly #options: JobThreadOptions;
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** ends the job that is being done */
  #answer: ((answer: JobAnswer<Value> | EspalierError) => void) | undefined;

  constructor(options: JobThreadOptions) {
    this.#options = options;
  }

  /**
   * Does a job when those before it are done.
   * @throws EspalierError as the options say, not_ready when it is closed, internal when the thread is lost; the
   *   signal's reason when it is aborted before the job's turn
   */
  run(job: Job, signal?: AbortSignal): Promise<Value> {
    const turn = this.#last.then(() => {
      signal?.throwIfAborted();
      return this.#run(job);
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Ends the thread; jobs that still wait are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }

  #run(job: Job): Promise<Value> {
    const { timeoutMs, tooLong, refused, endsAfter } = this.#options;
    if (this.#closed) throw new EspalierError('not_ready', 'The controller is stopping.');
    const worker = this.#worker ?? this.#start();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#lose(tooLong()), timeoutMs);
      this.#answer = (answer) => {
        clearTimeout(timer);
        this.#answer = undefined;
        // An idle thread must not keep the process alive.
        worker.unref();
        const isError = answer instanceof EspalierError || 'error' in answer;
        if (endsAfter === 'every job' || (endsAfter === 'errors' && isError)) this.#end();
        if (answer instanceof EspalierError) reject(answer);
        else if ('error' in answer) reject(refused(answer.error, answer.code));
        else resolve(answer.value);
      };
      worker.ref();
      worker.postMessage(job);
    });
  }

  #start(): Worker {
    const { entry, workerData, name } = this.#options;
    const worker = new Worker(entry, { workerData });
    worker.on('message', (answer: JobAnswer<Value>) => this.#answer?.(answer));
    worker.on('error', (error) => {
      if (this.#worker === worker) this.#lose(asEspalierError(error));
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#lose(new EspalierError('not_ready', `The ${name} was stopped.`));
    });
    this.#worker = worker;
    return worker;
  }

  #end(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
  }

  /** Gives up the thread; the next job starts another. */
  #lose(reason: EspalierError): void {
    this.#end();
    this.#answer?.(reason);
  }
}
