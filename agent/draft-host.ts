// The draft that this node runs for another one's stage, in a worker of its own: the same hosting as of a stage, told of in
// the words of drafts. A node may have both.
import type { Logger } from 'pino';
import type { ControlEvent } from '../protocol/control.ts';
import type { Credentials } from '../protocol/identity.ts';
import type { HeldStage } from '../protocol/stage.ts';
import type { DraftCommand } from './control-server.ts';
import { DRAFT_PROGRAM } from './stage/supervisor.ts';
import { type RankHome, StageHost } from './stage-host.ts';

export class DraftHost {
  readonly #host: StageHost;

  /** @param credentials of this node @param tell to the controller */
  constructor(
    credentials: Credentials,
    rankHome: RankHome,
    log: Logger,
    tell: (event: ControlEvent) => void,
  ) {
    const told = (event: ControlEvent) => {
      const ofDraft = asDraft(event);
      if (ofDraft) tell(ofDraft);
    };
    this.#host = new StageHost(credentials, rankHome, log, told, undefined, DRAFT_PROGRAM);
  }

  /**
   * What runs, for the hello to a controller; null for nothing. Also what still loads: the controller may have begun another
   * one elsewhere meanwhile, and ends only what it knows of.
   */
  get held(): HeldStage | null {
    const { given } = this.#host;
    if (!given) return null;
    const { epoch, index, stageCount, range, modelFingerprint } = given;
    return { epoch, index, stageCount, range, modelFingerprint };
  }

  /** @param hopHost where it listens for the first stage */
  handle(command: Exclude<DraftCommand, { kind: 'draft-link' }>, hopHost: string): void {
    if (command.kind === 'draft-deploy') this.#host.handle({ kind: 'deploy', spec: command.spec }, hopHost);
    else void this.#host.stop();
  }

  controllerCame(): void {
    this.#host.controllerCame();
  }

  /** It stays loaded for a while, as a stage does. */
  controllerGone(): void {
    this.#host.controllerGone();
  }

  stop(): Promise<void> {
    return this.#host.stop();
  }
}

function asDraft(event: ControlEvent): ControlEvent | undefined {
  switch (event.kind) {
    case 'stage-loaded': {
      const { epoch, hop, pid, weightBytes } = event;
      return { kind: 'draft-loaded', epoch, hop, pid, weightBytes };
    }
    case 'stage-failed':
      return { kind: 'draft-failed', epoch: event.epoch, code: event.code, message: event.message };
    case 'stage-unlinked':
      return { kind: 'draft-unlinked', epoch: event.epoch, reason: event.reason };
    case 'draft-stats':
      return event;
    default:
      return undefined;
  }
}
