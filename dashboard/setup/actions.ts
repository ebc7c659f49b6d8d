// What the wizard lets be done: everything that runs a command, asks the controller or writes a file. It is handed in, so
// that steps and views can be looked at without any of it.
import type { LinksReport } from '../../protocol/links.ts';
import type { PairingReport } from '../../protocol/pairing.ts';
import type { ClusterStatus } from '../../protocol/status.ts';
import type { SystemChange } from '../../protocol/system-change.ts';
import type { SetupRole } from './order.ts';

/** This machine, in words. */
export interface ThisMachine {
  name: string;
  /** `Mac Studio, Apple M3 Ultra, 512 GiB, macOS 26.2 (25C56)` */
  text: string;
  isMac: boolean;
  /** where services are kept running by the system; undefined where only the background is there */
  systemHow: 'launchd' | 'systemd' | undefined;
}

/** A change, and its commands exactly as they would be run. */
export interface ProposedChange {
  change: SystemChange;
  commands: readonly string[];
}

/** A model that could be deployed. */
export interface ModelOffer {
  id: string;
  /** the folder, on every node the same */
  dir: string;
  /** `377 GB in files, 4-bit` */
  text: string;
  /** predicted tokens per second of one stream; null where it does not fit */
  predicted: number | null;
  /** why it does not fit; null where it does */
  refused: string | null;
}

/** How the cluster is used from now on. */
export interface Endpoint {
  url: string;
  /** commands and what they are for */
  next: readonly { command: string; what: string }[];
}

export interface SetupActions {
  machine(): Promise<ThisMachine>;
  /** which of the two processes run with this home, and how */
  running(): Promise<{ agent: string | null; controller: string | null }>;
  /** what has to be changed to keep the processes of a role running in the system's own way */
  serviceChanges(role: SetupRole): Promise<ProposedChange[]>;
  /** starts what the role needs and does not run yet */
  startServices(role: SetupRole, how: 'system' | 'background'): Promise<void>;
  /** the code that this machine's agent shows; undefined when it shows none */
  code(): Promise<string | undefined>;
  /** the name of the controller that this machine's agent obeys; undefined: none yet */
  pairedWith(): Promise<string | undefined>;
  pairing(): Promise<PairingReport>;
  pair(node: string, code: string): Promise<void>;
  /** lets this machine's own agent in, whose code can be read here; true when there was something to do */
  pairOwn(): Promise<boolean>;
  status(): Promise<ClusterStatus>;
  links(): Promise<LinksReport>;
  /** what should be changed on this machine */
  proposals(): Promise<ProposedChange[]>;
  apply(change: SystemChange): Promise<void>;
  models(): Promise<ModelOffer[]>;
  /** the predicted plan as text, or why there is none */
  predict(offer: ModelOffer): Promise<string>;
  /** what has to be changed of the system so that the controller serves this model; none where it needs no root */
  modelChanges(dir: string): Promise<ProposedChange[]>;
  /** has the controller serve this model from now on; it does already: nothing happens */
  serveModel(dir: string): Promise<void>;
  /** waits until the cluster serves; `tell` says what is waited for */
  untilServing(tell: (text: string) => void, signal: AbortSignal): Promise<void>;
  /** the plan in force as text */
  plan(): Promise<string>;
  /** asks, and tells the answer as it comes */
  ask(
    question: string,
    tell: (piece: { kind: 'reasoning' | 'content'; text: string }) => void,
    signal: AbortSignal,
  ): Promise<void>;
  endpoint(): Promise<Endpoint>;
}

/** What the command line said, beside the answers. */
export interface SetupFlags {
  /** nodes to wait for, this one counted */
  nodes?: number | undefined;
  /** codes by the names of nodes */
  codes: ReadonlyMap<string, string>;
  /** ids of the changes of the system that may be made without asking; 'all' for each */
  fix: 'all' | readonly string[];
}
