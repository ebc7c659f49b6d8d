// The public picture of a cluster: what GET /cluster/v1/status answers and the WebSocket of the same path streams.
// The dashboard and `espalier status` know nothing else.
import { z } from 'zod';
import { DraftStatus } from './draft.ts';
import { GpuMemoryLimit, InterfaceKind, MachineLoad, PowerFacts, Rdma, ThermalFacts } from './facts.ts';
import { Incident } from './incidents.ts';
import {
  MAX_SHOWN_INCIDENTS,
  MAX_SHOWN_INTERFACES,
  MAX_SHOWN_LABEL_CHARS,
  MAX_SHOWN_PORTS,
  MAX_SHOWN_WAITING,
} from './limits.ts';
import { LinkFinding } from './links.ts';
import { PullProgress } from './models.ts';
import { EngineName, LayerRange } from './plan.ts';
import { ShownName } from './printable.ts';
import { EngineState } from './ranks.ts';
import { GuessTotal, RequestGuesses } from './speculation.ts';
import { KvUse } from './stage.ts';

export const STATUS_PATH = '/cluster/v1/status';

/** starting: no plan yet · deploying: stages load · serving · recovering: was serving, will again shortly · degraded: was serving, cannot now · stopping */
export const ClusterState = z.enum([
  'starting',
  'deploying',
  'serving',
  'recovering',
  'degraded',
  'stopping',
]);
export type ClusterState = z.infer<typeof ClusterState>;

const ShownLabel = z.string().max(MAX_SHOWN_LABEL_CHARS);

/** What a node told of its machine, cut down to what people look at: `espalier facts` on the node tells all. */
export const NodeMachine = z.object({
  modelIdentifier: ShownLabel.nullable(),
  modelName: ShownLabel.nullable(),
  /** `macOS 26.2 (25C56)` */
  os: ShownLabel.nullable(),
  coresPerformance: z.int().nullable(),
  coresEfficiency: z.int().nullable(),
  coresGpu: z.int().nullable(),
  gpuMemoryLimit: GpuMemoryLimit.pick({ bytes: true, source: true }).nullable(),
  /** those that are on and lead out of the machine, Thunderbolt first */
  interfaces: z
    .array(
      z.object({
        name: ShownLabel,
        kind: InterfaceKind,
        active: z.boolean().nullable(),
        linkGbps: z.number().nullable(),
        /** the first two, a link-local one with its zone: `fe80::1%en5` */
        addresses: z.array(z.string().max(80)).max(2),
      }),
    )
    .max(MAX_SHOWN_INTERFACES),
  thunderboltPorts: z
    .array(
      z.object({
        receptacle: z.int().nullable(),
        interface: ShownLabel.nullable(),
        connected: z.boolean(),
        linkGbps: z.number().nullable(),
        /** a cable joins two ports when each lists the other's domain */
        domainUuid: z.guid().nullable(),
        /** the first two */
        peers: z
          .array(z.object({ domainUuid: z.guid(), name: ShownLabel.nullable(), throughDock: z.boolean() }))
          .max(2),
      }),
    )
    .max(MAX_SHOWN_PORTS),
  rdma: Rdma.shape.state,
  powerSource: PowerFacts.shape.source,
  /** until it sleeps when idle; 0 never */
  sleepMinutes: z.int().nullable(),
  thermalLevel: ThermalFacts.shape.level,
  load: MachineLoad.omit({ traffic: true }),
  /** how many notes there are of what was missing or strange */
  noteCount: z.int(),
});
export type NodeMachine = z.infer<typeof NodeMachine>;

export const NodeStatus = z.object({
  /** what it has of MLX Distributed, once it has told */
  engine: EngineState.optional(),
  id: z.string(),
  name: z.string(),
  address: z.string(),
  foundBy: z.enum(['bonjour', 'address']),
  state: z.enum(['connected', 'lost']),
  /** it takes no place in the next plan, because somebody wants to do something else with it */
  isDrained: z.boolean().nullish(),
  chip: z.string(),
  cores: z.int(),
  memoryBytes: z.number(),
  pid: z.int(),
  /** null until the node has told */
  facts: NodeMachine.nullish(),
});
export type NodeStatus = z.infer<typeof NodeStatus>;

export const StageStatus = z.object({
  index: z.int(),
  nodeId: z.string(),
  /** the node's name */
  node: z.string(),
  range: LayerRange,
  state: z.enum(['loading', 'loaded', 'linked', 'failed']),
  pid: z.int().nullable(),
  /** resident memory of the worker process, measured */
  residentBytes: z.number().nullable(),
  weightBytes: z.number(),
  kvBytes: z.number().nullable(),
  /** tokens through this stage per second (prefill and decode), measured over the last interval */
  tokensPerSecond: z.number().nullable(),
  decodeTokensPerSecond: z.number().nullable(),
  /** mean decode step; keeps the last measured value while idle, null before the first step */
  stepTimeMs: z.number().nullable(),
  busyShare: z.number().nullable(),
  hopBytesPerSecond: z.number().nullable(),
  tokensTotal: z.int(),
  /** steps since the deployment: it grows by one each time that work has passed through the stage */
  stepsTotal: z.int().nullish(),
  /** what weights and KV may take of the node's memory, as the plan counts */
  usableBytes: z.number().nullish(),
  /** a decode step of one row as the plan's cost model predicts it, with what has been measured until now */
  predictedStepMs: z.number().nullish(),
  /** the measured way of the hop to it from the stage before; null where none was measured */
  hop: z
    .object({
      fromAddress: z.string(),
      toAddress: z.string(),
      fromInterface: z.string(),
      toInterface: z.string(),
      kind: InterfaceKind,
      /** when it was planned: of 14 KiB there and back, and of a burst */
      rttP50Us: z.number(),
      gbps: z.number(),
    })
    .nullish(),
});
export type StageStatus = z.infer<typeof StageStatus>;

export const RequestStatus = z.object({
  id: z.string(),
  /** the program that asks, as it calls itself; null where it says nothing */
  client: ShownLabel.nullish(),
  /** how many others come before it, while it waits */
  ahead: z.int().nullish(),
  /** recovering: a stage was lost; it goes on from its tokens when the cluster serves again */
  phase: z.enum(['waiting', 'prefill', 'decode', 'recovering']),
  promptTokens: z.int(),
  tokens: z.int(),
  tokensPerSecond: z.number().nullable(),
  ageMs: z.number(),
  /** tokens that were guessed ahead for it; null or left out where none were */
  guesses: RequestGuesses.nullish(),
});
export type RequestStatus = z.infer<typeof RequestStatus>;

/** What the cost model says of the plan in force, beside what is measured. */
export const PredictedRates = z.object({
  /** tokens per second with as many streams as run now; null while none runs */
  now: z.object({ streams: z.int(), tokensPerSecond: z.number() }).nullable(),
  oneStream: z.number(),
  /** with as many streams as stages */
  allStagesBusy: z.number(),
  /** what keeps all stages busy from being faster, in words */
  limit: z.string(),
});
export type PredictedRates = z.infer<typeof PredictedRates>;

export const ClusterEvent = z.object({
  /** milliseconds since 1970 */
  at: z.number(),
  level: z.enum(['info', 'warn', 'error']),
  text: z.string(),
  /** how to fix it, where there is something to fix */
  fix: z.string().nullable(),
});
export type ClusterEvent = z.infer<typeof ClusterEvent>;

export const ClusterStatus = z.object({
  /** milliseconds since 1970 */
  at: z.number(),
  espalierVersion: z.string(),
  controllerPid: z.int(),
  state: ClusterState,
  /** why the cluster does not serve, in a sentence; null while it serves */
  reason: z.string().nullable(),
  /** the registered code of what ended the last deployment, while none serves */
  failure: z.string().nullish(),
  engine: EngineName,
  epoch: z.int(),
  model: z
    .object({
      id: z.string(),
      architecture: z.string(),
      layerCount: z.int(),
      quantization: z.string(),
      contextTokens: z.int(),
    })
    .nullable(),
  /** generated tokens, all requests together, measured at the controller */
  tokensPerSecond: z.number(),
  tokensPerSecondMinute: z.number(),
  /** of the last request that began to answer; null before the first */
  timeToFirstTokenMs: z.number().nullable(),
  tokensTotal: z.int(),
  /** null while nothing is deployed */
  predicted: PredictedRates.nullish(),
  /** who holds how much of the stages' KV, as the first stage says; null before it says so */
  kv: KvUse.nullish(),
  /** the draft of the plan in force; null where it has none */
  draft: DraftStatus.nullish(),
  /** guesses since the controller started, by source; empty where nothing guesses */
  guesses: z.array(GuessTotal).nullish(),
  requestsRunning: z.int(),
  requestsWaiting: z.int(),
  requestsCompleted: z.int(),
  requestsFailed: z.int(),
  nodes: z.array(NodeStatus),
  stages: z.array(StageStatus),
  requests: z.array(RequestStatus),
  /** what the links between the nodes tell that a person can mend, the worst first */
  linkFindings: z.array(LinkFinding).nullish(),
  /** nodes that show a code and wait to be paired with it, the first ones */
  waiting: z
    .array(z.object({ id: z.string().max(200), name: ShownName(100) }))
    .max(MAX_SHOWN_WAITING)
    .nullish(),
  /** the last ones, newest last; GET /cluster/v1/incidents has all that are kept */
  incidents: z.array(Incident).max(MAX_SHOWN_INCIDENTS).nullish(),
  /** pulls of models that run, and the last ones that ended */
  pulls: z.array(PullProgress).nullish(),
  /** newest last */
  events: z.array(ClusterEvent),
});
export type ClusterStatus = z.infer<typeof ClusterStatus>;
