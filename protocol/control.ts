// The words on the control connection (a WebSocket that the controller opens to each agent), JSON text.
import { z } from 'zod';
import { MachineFacts, MachineLoad } from './facts.ts';
import { GenerateRequest, RequestFailure, TokenEvent } from './generate.ts';
import { ClusterName, HostPort, NodeFacts } from './node.ts';
import { PROBE_COMMANDS, PROBE_EVENTS, ProbeAddress } from './probe.ts';
import { StageSpec, StageStats } from './stage.ts';
import { TracedSteps } from './trace.ts';

/** controller → agent */
export const ControlCommand = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('hello'),
    protocol: z.int(),
    controllerId: z.string(),
    cluster: ClusterName,
    espalierVersion: z.string(),
  }),
  z.object({
    kind: z.literal('deploy'),
    spec: StageSpec,
    /** the address of this node that the stage before dials; by default the one by which the controller came */
    hopHost: ProbeAddress.optional(),
  }),
  /** `from`: the address of this node to dial from; by default the system chooses */
  z.object({ kind: z.literal('link'), epoch: z.int(), next: HostPort, from: ProbeAddress.optional() }),
  z.object({ kind: z.literal('generate'), epoch: z.int(), request: GenerateRequest }),
  z.object({ kind: z.literal('cancel'), epoch: z.int(), requestId: z.string() }),
  /** asks for the last steps of the stage; between two steps it answers with `trace` */
  z.object({ kind: z.literal('trace'), epoch: z.int() }),
  z.object({ kind: z.literal('undeploy'), epoch: z.int() }),
  ...PROBE_COMMANDS,
]);
export type ControlCommand = z.infer<typeof ControlCommand>;

/** agent → controller */
export const ControlEvent = z.discriminatedUnion('kind', [
  /** `facts` is null until they were gathered; facts that cannot be read are none, for no node is lost over them */
  z.object({
    kind: z.literal('hello'),
    protocol: z.int(),
    node: NodeFacts,
    facts: MachineFacts.nullish().catch(null),
  }),
  /** something other than the load has changed */
  z.object({ kind: z.literal('facts'), facts: MachineFacts.nullable().catch(null) }),
  z.object({ kind: z.literal('load'), load: MachineLoad.nullable().catch(null) }),
  /** the agent closes the connection after this one */
  z.object({ kind: z.literal('refused'), code: z.string(), message: z.string() }),
  z.object({
    kind: z.literal('stage-loaded'),
    epoch: z.int(),
    hop: HostPort,
    pid: z.int(),
    weightBytes: z.number(),
  }),
  z.object({ kind: z.literal('stage-linked'), epoch: z.int() }),
  z.object({ kind: z.literal('stage-failed'), epoch: z.int(), code: z.string(), message: z.string() }),
  z.object({ kind: z.literal('tokens'), epoch: z.int(), tokens: z.array(TokenEvent) }),
  z.object({ kind: z.literal('request-failed'), epoch: z.int(), failure: RequestFailure }),
  z.object({ kind: z.literal('stats'), epoch: z.int(), stats: StageStats }),
  z.object({ kind: z.literal('trace'), epoch: z.int(), steps: TracedSteps }),
  ...PROBE_EVENTS,
]);
export type ControlEvent = z.infer<typeof ControlEvent>;
