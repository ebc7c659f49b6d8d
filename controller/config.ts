// What a controller is started with. It must not know what is made of it.
import type { HostPort } from '../protocol/node.ts';
import type { SpeculationMode } from '../protocol/speculation.ts';
import type { SamplingPins } from './chat-admission.ts';
import type { Planning } from './planning.ts';

export interface ControllerOptions {
  /** where the API listens */
  host: string;
  /** 0 for any free one */
  port: number;
  /** a folder in MLX format; every node holds it at the same path */
  modelDir: string;
  /** a model of the store, in the place of the folder */
  storedModel?: string | undefined;
  /** goes on with the stored model that was deployed last, if any, in the place of the folder */
  resumesModel?: boolean | undefined;
  /** whether a request for a stored model deploys it; undefined: where the API is for this machine alone */
  autoLoads?: boolean | undefined;
  /** what model files leave free on the nodes' disks */
  diskReserveBytes?: number | undefined;
  /** nodes to wait for before the first plan, and the most to use; undefined: all that are found */
  nodeCount?: number | undefined;
  /** what is wanted of its plans; undefined: as DEFAULT_PLANNING */
  planning?: Planning | undefined;
  /** how tokens are guessed ahead; undefined: as DEFAULT_SPECULATION */
  speculation?: SpeculationMode | undefined;
  /** the folder of a draft model, on every node at the same path; undefined: the model's own, if it has one */
  draftDir?: string | undefined;
  /** sampling that holds for all requests, whatever clients ask for */
  pins?: SamplingPins | undefined;
  /** agents to dial where Bonjour does not find them */
  agents: HostPort[];
  /** the IPv4 address of the only interface to look for agents on; undefined for all */
  bonjourInterface?: string | undefined;
  /** the cluster whose agents this controller takes */
  cluster: string;
  /** ESPALIER_HOME */
  home: string;
  /** web pages that may ask the API, like `http://localhost:3000` */
  allowOrigins?: readonly string[] | undefined;
}
