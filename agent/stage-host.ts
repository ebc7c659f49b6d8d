// The one stage that this node holds, on either engine: carries out the controller's commands on it, one after the other,
// and tells what becomes of it. A new deployment moves a stage of ours, which keeps what both have, and starts a rank anew;
// without a controller the stage stays loaded for a while.
import type { Logger } from 'pino';
import type { ControlEvent } from '../protocol/control.ts';
import type { DraftLink } from '../protocol/draft.ts';
import { asEspalierError, EspalierError } from '../protocol/errors.ts';
import type { Credentials } from '../protocol/identity.ts';
import { CONTROLLER_GRACE_MS } from '../protocol/limits.ts';
import { formatRange } from '../protocol/plan.ts';
import type { HeldStage, StageSpec } from '../protocol/stage.ts';
import type { WorkerEvent } from '../protocol/worker.ts';
import type { StageCommand } from './control-server.ts';
import { RankSupervisor } from './mlx-distributed/supervisor.ts';
import { type StageListener, StageSupervisor } from './stage/supervisor.ts';

type Supervisor = StageSupervisor | RankSupervisor;

/** What a rank needs to know of its agent. */
export interface RankHome {
  /** where engines are installed */
  enginesDir: string;
  /** the node's name */
  node: string;
}

type Failure = { code: string; message: string };

export class StageHost {
  readonly #credentials: Credentials;
  readonly #log: Logger;
  readonly #tell: (event: ControlEvent) => void;
  readonly #rankHome: RankHome;
  readonly #graceMs: number;
  readonly #workerProgram: string | undefined;
  #gpuLimitBytes: number | null = null;
  #stage: Supervisor | undefined;
  /** ends the stage of a controller that does not come back */
  #grace: NodeJS.Timeout | undefined;
  /** commands that start or end workers run one after the other */
  #turn: Promise<void> = Promise.resolve();

  /**
   * @param credentials of this node
   * @param graceMs for how long a stage stays loaded without a controller
   * @param workerProgram what stage workers run; the usual one when undefined
   */
  constructor(
    credentials: Credentials,
    rankHome: RankHome,
    log: Logger,
    tell: (event: ControlEvent) => void,
    graceMs = CONTROLLER_GRACE_MS,
    workerProgram?: string,
  ) {
    this.#workerProgram = workerProgram;
    this.#credentials = credentials;
    this.#log = log;
    this.#rankHome = rankHome;
    this.#tell = tell;
    this.#graceMs = graceMs;
  }

  /** Metal's own figure, once a stage has told it. */
  get gpuLimitBytes(): number | null {
    return this.#gpuLimitBytes;
  }

  /** What is loaded, for the hello to a controller; null for nothing. */
  get held(): HeldStage | null {
    const taken = this.#stage?.taken;
    if (!this.#stage || !taken) return null;
    // the next deployment must be newer than what it was told last, even if it is still moving there
    const { epoch } = this.#stage.spec;
    const { index, stageCount, range, modelFingerprint } = taken;
    return { epoch, index, stageCount, range, modelFingerprint };
  }

  /** The place that it was given last, also while that is not taken yet; undefined for none. */
  get given(): StageSpec | undefined {
    return this.#stage?.spec;
  }

  /** @param hopHost where a stage that is deployed listens for the one before it */
  handle(command: StageCommand, hopHost: string): void {
    if (command.kind === 'deploy') {
      const { spec } = command;
      this.#queue(() =>
        this.#deploy(spec, hopHost).catch((error) => this.#failed(spec, asEspalierError(error))),
      );
    } else if (command.kind === 'undeploy') {
      this.#queue(() => this.#end(command.epoch));
    } else {
      this.#pass(command);
    }
  }

  /** Of the stage that this node has: it is guessed for by a draft on another node. */
  linkDraft(epoch: number, link: DraftLink): void {
    if (this.#stage instanceof StageSupervisor && this.#stage.spec.epoch === epoch)
      this.#stage.send({ kind: 'link-draft', link });
  }

  controllerCame(): void {
    clearTimeout(this.#grace);
  }

  /** Nobody hears the answers any more, but the weights and the KV of what ran may soon be of use again. */
  controllerGone(): void {
    clearTimeout(this.#grace);
    this.#stage?.send({ kind: 'end-requests' });
    // also without a stage: one may be on its way, behind another that ends or has just crashed
    this.#grace = setTimeout(() => {
      if (this.#stage) this.#log.info('no controller came back: the stage is given up');
      this.#queue(() => this.#end(undefined));
    }, this.#graceMs);
    this.#grace.unref();
  }

  /** Ends the stage, whatever its epoch. */
  async stop(): Promise<void> {
    clearTimeout(this.#grace);
    this.#queue(() => this.#end(undefined));
    await this.#turn;
  }

  #queue(task: () => Promise<void> | void): void {
    this.#turn = this.#turn.then(task).catch((error) => this.#log.error(error, 'a command failed'));
  }

  async #deploy(spec: StageSpec, hopHost: string): Promise<void> {
    const { epoch, index, range } = spec;
    const held = this.#stage?.spec;
    if (held && epoch <= held.epoch) {
      const message = `this node has a stage of epoch ${held.epoch} already: epoch ${epoch} is not newer`;
      throw new EspalierError('old_epoch', message);
    }
    const what = { epoch, index, layers: formatRange(range), ...(spec.role && { role: spec.role }) };
    if (this.#stage instanceof StageSupervisor && !spec.ranks && isSameModel(held, spec)) {
      this.#log.info(what, 'moving the stage');
      this.#stage.move(spec, hopHost);
      return;
    }
    await this.#end(undefined);
    this.#log.info(what, 'starting a stage');
    this.#start(spec, hopHost);
  }

  #start(spec: StageSpec, hopHost: string): void {
    const listener: StageListener = {
      onEvent: (event, epoch) => this.#event(stage, event, epoch),
      onExit: (failure) => this.#exited(stage, failure),
    };
    const stage: Supervisor = spec.ranks
      ? new RankSupervisor(this.#rankHome, spec, hopHost, this.#log, listener)
      : new StageSupervisor(spec, hopHost, this.#credentials, this.#log, listener, this.#workerProgram);
    this.#stage = stage;
  }

  #exited(stage: Supervisor, failure: Failure): void {
    if (this.#stage !== stage) return;
    this.#stage = undefined;
    const { spec, hopHost, isMoving } = stage;
    if (!isMoving) {
      this.#failed(spec, failure);
      return;
    }
    // what it held is lost, but the place can still be taken
    this.#log.warn(
      { epoch: spec.epoch, ...failure },
      'a stage was lost while it moved: starting another one',
    );
    this.#queue(() => {
      // it may have been ended, or given another place, meanwhile
      if (this.#stage) return;
      try {
        this.#start(spec, hopHost);
      } catch (error) {
        this.#failed(spec, asEspalierError(error));
      }
    });
  }

  #failed({ epoch }: StageSpec, { code, message }: Failure): void {
    this.#log.error({ epoch, code }, message);
    this.#tell({ kind: 'stage-failed', epoch, code, message });
  }

  /** @param newest what is of a newer epoch stays; undefined: whatever its epoch */
  async #end(newest: number | undefined): Promise<void> {
    const stage = this.#stage;
    if (!stage || (newest !== undefined && stage.spec.epoch > newest)) return;
    this.#stage = undefined;
    await stage.stop();
    this.#log.info({ epoch: stage.spec.epoch }, 'stage ended');
  }

  #pass(command: Exclude<StageCommand, { kind: 'deploy' | 'undeploy' }>): void {
    const { epoch } = command;
    const stage = this.#stage;
    if (stage?.spec.epoch === epoch) {
      if (command.kind === 'link') stage.send(command);
      else if (command.kind === 'generate')
        stage.send({ kind: 'generate', request: command.request, serial: command.serial });
      else if (command.kind === 'wake') stage.send({ kind: 'wake', serial: command.serial });
      else if (command.kind === 'trace' || command.kind === 'leave') stage.send({ kind: command.kind });
      else stage.send({ kind: 'cancel', requestId: command.requestId });
      return;
    }
    if (command.kind !== 'generate') return; // of a plan that is no more
    const { requestId } = command.request;
    const message = `this node holds no stage of epoch ${epoch}`;
    this.#tell({ kind: 'request-failed', epoch, failure: { requestId, code: 'old_epoch', message } });
  }

  #event(stage: Supervisor, event: WorkerEvent, epoch: number): void {
    switch (event.kind) {
      case 'loaded': {
        const { hopPort: port, weightBytes, readLayers, kvEpoch } = event;
        const hop = { host: stage.hopHost, port };
        const { pid } = stage;
        this.#gpuLimitBytes = event.gpuLimitBytes ?? this.#gpuLimitBytes;
        this.#tell({ kind: 'stage-loaded', epoch, hop, pid, weightBytes, readLayers, kvEpoch });
        break;
      }
      case 'progress':
        this.#tell({ kind: 'stage-progress', epoch, layers: event.layers, ofLayers: event.ofLayers });
        break;
      case 'linked':
        this.#tell({ kind: 'stage-linked', epoch });
        break;
      case 'unlinked':
        this.#log.warn({ epoch, hop: event.hop }, `a hop was lost: ${event.reason}`);
        this.#tell({ kind: 'stage-unlinked', epoch, hop: event.hop, reason: event.reason });
        break;
      case 'admitted':
        this.#tell({ kind: 'admitted', epoch, requestIds: event.requestIds });
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
      case 'draft-linked':
        this.#tell({ kind: 'draft-linked', epoch: event.draftEpoch });
        break;
      case 'draft-unlinked':
        this.#log.warn({ epoch: event.draftEpoch }, `the draft is lost: ${event.reason}`);
        this.#tell({ kind: 'draft-unlinked', epoch: event.draftEpoch, reason: event.reason });
        break;
      case 'draft-stats':
        this.#tell({ kind: 'draft-stats', epoch, stats: event.stats });
        break;
      case 'beat': // its supervisor's
      case 'refusal':
      case 'fatal': // the exit that follows is what counts
        break;
    }
  }
}

function isSameModel(held: StageSpec | undefined, spec: StageSpec): boolean {
  return held?.modelDir === spec.modelDir && held.modelFingerprint === spec.modelFingerprint;
}
