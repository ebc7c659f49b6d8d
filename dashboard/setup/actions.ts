// What the wizard lets be done: everything that runs a command, asks the controller or writes a file. It is handed in, so
// that steps and views can be looked at without any of it.
import type { LinksReport } from '../../protocol/links.ts';
import type { FoundModel, PullProgress } from '../../protocol/models.ts';
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
  /** as `espalier models pull` and `espalier models use` take it: organisation/name, or a folder of this machine */
  name: string;
  /**
   * deployed: it answers · stored: the nodes hold it · partial: they hold some of it · local: it lies on this machine ·
   * hub: it is to be fetched
   */
  place: 'deployed' | 'stored' | 'partial' | 'local' | 'hub';
  /** of its files; computed from the architecture where it is not here yet */
  sizeBytes: number;
  quantization: string;
  licence: string | null;
  /** predicted tokens per second of one stream; null where it does not fit */
  predicted: number | null;
  /** why it does not fit; null where it does */
  refused: string | null;
}

/** What deploying a model would mean. */
export interface PaperPlan {
  /** the predicted plan as text */
  text: string;
  /** of each node in it; none for a model that nobody fetches */
  disks: readonly DiskNeed[];
}

export interface DiskNeed {
  node: string;
  /** of the files with its layers, about */
  needBytes: number;
  /** of the model, on its disk already */
  heldBytes: number;
  /** null where the node does not tell */
  freeBytes: number | null;
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
  /** what is here, and what the catalogue has: those that fit first, of them the largest */
  models(): Promise<ModelOffer[]>;
  /** a folder of this machine as an offer; @throws EspalierError when it is no model */
  folderModel(dir: string): Promise<ModelOffer>;
  /** models of the hub by words of their names */
  searchHub(words: string): Promise<FoundModel[]>;
  predict(offer: ModelOffer): Promise<PaperPlan>;
  /** the pulls that run */
  pulls(): Promise<PullProgress[]>;
  /** ends a pull; what has come stays */
  cancelPull(model: string): Promise<void>;
  /**
   * Has every node hold what it needs of a model; where the nodes hold it already, nothing happens.
   * @param signal ends the wait, not the pull
   * @returns the name by which it is deployed
   */
  pull(model: string, tell: (pull: PullProgress) => void, signal: AbortSignal): Promise<string>;
  /** deploys a model, and waits until it answers; it does already: nothing happens. `tell` says what is waited for */
  deployModel(model: string, tell: (text: string) => void, signal: AbortSignal): Promise<void>;
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
