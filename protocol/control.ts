// The words on the control connection (a WebSocket that the controller opens to each agent), JSON text.
import { z } from 'zod';
import { NodeCheck } from './doctor.ts';
import { DRAFT_COMMANDS, DRAFT_EVENTS } from './draft.ts';
import { MachineFacts, MachineLoad } from './facts.ts';
import { GenerateRequest, RequestFailure, RequestIds, TokenEvent } from './generate.ts';
import { MAX_REASON_CHARS } from './limits.ts';
import { ModelRef } from './models.ts';
import { ClusterName, HostPort, NodeFacts } from './node.ts';
import { Shown } from './printable.ts';
import { PROBE_COMMANDS, PROBE_EVENTS, ProbeAddress } from './probe.ts';
import { EngineState, RankLaunch } from './ranks.ts';
import { HeldStage, HopSide, KvEpoch, StageSpec, StageStats } from './stage.ts';
import { STORE_COMMANDS, STORE_EVENTS } from './store.ts';
import { TracedSteps } from './trace.ts';

/** controller → agent */
export const ControlCommand = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('hello'),
    protocol: z.int(),
    controllerId: z.string(),
    /** another one at each start: two processes with one key are told apart by it */
    controllerBootId: z.string().min(1).max(64),
    cluster: ClusterName,
    espalierVersion: z.string(),
  }),
  /** takes a place in a plan; a stage that the agent has is moved there, with all that it holds already */
  z.object({
    kind: z.literal('deploy'),
    spec: StageSpec,
    /** the address of this node that the stage before dials; by default the one by which the controller came */
    hopHost: ProbeAddress.optional(),
    /** a model of the node's store: its folder there takes the place of the spec's */
    stored: ModelRef.optional(),
  }),
  /** `from`: the address of this node to dial from; by default the system chooses. `keepsKv`: see KvEpoch */
  z.object({
    kind: z.literal('link'),
    epoch: z.int(),
    next: HostPort,
    from: ProbeAddress.optional(),
    keepsKv: z.boolean(),
    /** of a plan on MLX Distributed: how its ranks meet */
    ranks: RankLaunch.optional(),
  }),
  /** `serial`: how many requests this deployment has had, this one included */
  z.object({ kind: z.literal('generate'), epoch: z.int(), request: GenerateRequest, serial: z.int().min(1) }),
  /** to the other ranks of MLX Distributed, which sleep while there is nothing to do: rank 0 has a request */
  z.object({ kind: z.literal('wake'), epoch: z.int(), serial: z.int().min(1) }),
  z.object({ kind: z.literal('cancel'), epoch: z.int(), requestId: z.string() }),
  /** asks for the last steps of the stage; between two steps it answers with `trace` */
  z.object({ kind: z.literal('trace'), epoch: z.int() }),
  /** the deployment is over and none follows at once: the stage closes its hops, and keeps what it has loaded */
  z.object({ kind: z.literal('leave'), epoch: z.int() }),
  /** the stage ends, where it is of this epoch or an older one */
  z.object({ kind: z.literal('undeploy'), epoch: z.int() }),
  /** the node checks itself and answers with `check` */
  z.object({ kind: z.literal('check') }),
  /** the controller lets this node go: it forgets the controller's key */
  z.object({ kind: z.literal('unpair') }),
  /** makes the node's environment of MLX Distributed, if it is not there; answered with `engine` at each step of it */
  z.object({ kind: z.literal('install-engine') }),
  ...DRAFT_COMMANDS,
  ...PROBE_COMMANDS,
  ...STORE_COMMANDS,
]);
export type ControlCommand = z.infer<typeof ControlCommand>;

/** agent → controller */
export const ControlEvent = z.discriminatedUnion('kind', [
  /**
   * `facts` is null until they were gathered; facts that cannot be read are none, for no node is lost over them.
   * `stage`: what it has loaded, for a controller that was started anew; null for nothing.
   */
  z.object({
    kind: z.literal('hello'),
    protocol: z.int(),
    node: NodeFacts,
    stage: HeldStage.nullable(),
    /** the draft that it runs, in the same words */
    draft: HeldStage.nullish(),
    facts: MachineFacts.nullish().catch(null),
    /** what it has of MLX Distributed */
    engine: EngineState.optional().catch(undefined),
  }),
  z.object({ kind: z.literal('engine'), engine: EngineState }),
  /** something other than the load has changed */
  z.object({ kind: z.literal('facts'), facts: MachineFacts.nullable().catch(null) }),
  z.object({ kind: z.literal('load'), load: MachineLoad.nullable().catch(null) }),
  /** the agent closes the connection after this one */
  z.object({ kind: z.literal('refused'), code: z.string(), message: Shown(MAX_REASON_CHARS) }),
  z.object({
    kind: z.literal('stage-loaded'),
    epoch: z.int(),
    hop: HostPort,
    pid: z.int(),
    weightBytes: z.number(),
    /** layers that it had to read from the disk, the others it had */
    readLayers: z.int().min(0),
    kvEpoch: KvEpoch,
  }),
  /** while it loads: of the layers that it has to read */
  z.object({
    kind: z.literal('stage-progress'),
    epoch: z.int(),
    layers: z.int().min(0),
    ofLayers: z.int().min(0),
  }),
  z.object({ kind: z.literal('stage-linked'), epoch: z.int() }),
  /** a hop of it is gone, or cannot be opened; the stage lives, keeps what it holds and waits for its next place */
  z.object({
    kind: z.literal('stage-unlinked'),
    epoch: z.int(),
    /** the hop from the stage before it, or to the one after it */
    hop: HopSide,
    reason: Shown(MAX_REASON_CHARS),
  }),
  /** the worker is gone, or could not be started */
  z.object({
    kind: z.literal('stage-failed'),
    epoch: z.int(),
    code: z.string(),
    message: Shown(MAX_REASON_CHARS),
  }),
  z.object({ kind: z.literal('tokens'), epoch: z.int(), tokens: z.array(TokenEvent) }),
  /** the first stage has taken these requests up: from now on its steps compute them */
  z.object({ kind: z.literal('admitted'), epoch: z.int(), requestIds: RequestIds }),
  z.object({ kind: z.literal('request-failed'), epoch: z.int(), failure: RequestFailure }),
  z.object({ kind: z.literal('stats'), epoch: z.int(), stats: StageStats }),
  z.object({ kind: z.literal('trace'), epoch: z.int(), steps: TracedSteps }),
  /** null when it cannot be read: what one node found is worth no lost node */
  z.object({ kind: z.literal('check'), check: NodeCheck.nullable().catch(null) }),
  ...DRAFT_EVENTS,
  ...PROBE_EVENTS,
  ...STORE_EVENTS,
]);
export type ControlEvent = z.infer<typeof ControlEvent>;
