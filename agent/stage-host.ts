// The one stage that this node holds: carries out the controller's commands on it, one after the other, and tells what
// becomes of it. A new deployment ends the old one first.
import type { Logger } from 'pino';
import type { ControlEvent } from '../protocol/control.ts';
import { asEspalierError } from '../protocol/errors.ts';
import type { Credentials } from '../protocol/identity.ts';
import { formatRange } from '../protocol/plan.ts';
import type { StageSpec } from '../protocol/stage.ts';
import type { WorkerEvent } from '../protocol/worker.ts';
import type { StageCommand } from './control-server.ts';
import { StageSupervisor } from './stage/supervisor.ts';

export class StageHost {
  readonly #credentials: Credentials;
  readonly #log: Logger;
  readonly #tell: (event: ControlEvent) => void;
  #gpuLimitBytes: number | null = null;
  #stage: StageSupervisor | undefined;
  /** commands that start or end workers run one after the other */
  #turn: Promise<void> = Promise.resolve();

  /** @param credentials of this node */
  constructor(credentials: Credentials, log: Logger, tell: (event: ControlEvent) => void) {
    this.#credentials = credentials;
    this.#log = log;
    this.#tell = tell;
  }

  /** Metal's own figure, once a stage has told it. */
  get gpuLimitBytes(): number | null {
    return this.#gpuLimitBytes;
  }

  handle(command: StageCommand, localHost: string): void {
    if (command.kind === 'deploy') {
      const { spec } = command;
      this.#queue(() => this.#deploy(spec, localHost).catch((error) => this.#couldNotStart(spec, error)));
    } else if (command.kind === 'undeploy') {
      this.#queue(() => this.#end(command.epoch));
    } else {
      this.#pass(command);
    }
  }

  /** Ends the stage, whatever its epoch. */
  async stop(): Promise<void> {
    this.#queue(() => this.#end(undefined));
    await this.#turn;
  }

  #queue(task: () => Promise<void> | void): void {
    this.#turn = this.#turn.then(task).catch((error) => this.#log.error(error, 'a command failed'));
  }

  async #deploy(spec: StageSpec, localHost: string): Promise<void> {
    await this.#end(undefined);
    const { epoch, index, range } = spec;
    this.#log.info({ epoch, index, layers: formatRange(range) }, 'starting a stage');
    const stage: StageSupervisor = new StageSupervisor(spec, localHost, this.#credentials, this.#log, {
      onEvent: (event) => this.#event(stage, localHost, event),
      onExit: ({ code, message }) => {
        this.#log.error({ epoch, code }, message);
        if (this.#stage === stage) this.#stage = undefined;
        this.#tell({ kind: 'stage-failed', epoch, code, message });
      },
    });
    this.#stage = stage;
  }

  #couldNotStart({ epoch }: StageSpec, error: unknown): void {
    const { code, message } = asEspalierError(error);
    this.#log.error({ epoch, code }, message);
    this.#tell({ kind: 'stage-failed', epoch, code, message });
  }

  async #end(epoch: number | undefined): Promise<void> {
    const stage = this.#stage;
    if (!stage || (epoch !== undefined && stage.spec.epoch !== epoch)) return;
    this.#stage = undefined;
    await stage.stop();
    this.#log.info({ epoch: stage.spec.epoch }, 'stage ended');
  }

  #pass(command: Exclude<StageCommand, { kind: 'deploy' | 'undeploy' }>): void {
    const { epoch } = command;
    const stage = this.#stage;
    if (stage?.spec.epoch === epoch) {
      if (command.kind === 'link')
        stage.send({ kind: 'link', next: command.next, ...(command.from && { from: command.from }) });
      else if (command.kind === 'generate') stage.send({ kind: 'generate', request: command.request });
      else if (command.kind === 'trace') stage.send({ kind: 'trace' });
      else stage.send({ kind: 'cancel', requestId: command.requestId });
      return;
    }
    if (command.kind !== 'generate') return; // of a plan that is no more
    const { requestId } = command.request;
    const message = `this node holds no stage of epoch ${epoch}`;
    this.#tell({ kind: 'request-failed', epoch, failure: { requestId, code: 'old_epoch', message } });
  }

  #event(stage: StageSupervisor, localHost: string, event: WorkerEvent): void {
    const { epoch } = stage.spec;
    switch (event.kind) {
      case 'loaded': {
        const { hopPort: port, weightBytes } = event;
        this.#gpuLimitBytes = event.gpuLimitBytes ?? this.#gpuLimitBytes;
        this.#tell({
          kind: 'stage-loaded',
          epoch,
          hop: { host: localHost, port },
          pid: stage.pid,
          weightBytes,
        });
        break;
      }
      case 'linked':
        this.#tell({ kind: 'stage-linked', epoch });
        break;
      case 'tokens':
        this.#tell({ kind: 'tokens', epoch, tokens: event.tokens });
        break;
      case 'request-failed':
        this.#tell({ kind: 'request-failed', epoch, failure: event.failure });
        break;
      case 'stats':
        this.#tell({ kind: 'stats', epoch, stats: event.stats });
        break;
      case 'trace':
        this.#tell({ kind: 'trace', epoch, steps: event.steps });
        break;
      case 'fatal': // the exit that follows is what counts
        break;
    }
  }
}
