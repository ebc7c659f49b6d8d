// The words between an agent and the stage worker that it supervises (over Node's IPC channel).
import { z } from 'zod';
import { GenerateRequest, RequestFailure, TokenEvent } from './generate.ts';
import { HostPort } from './node.ts';
import { ProbeAddress } from './probe.ts';
import { StageSpec, StageStats } from './stage.ts';
import { TracedSteps } from './trace.ts';

/** agent → worker */
export const WorkerCommand = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('load'),
    spec: StageSpec,
    /** where the worker listens for the hop from the stage before it */
    hopHost: z.string(),
    /** a folder for tensor bytes on their way to and from a socket, made and removed by the agent */
    scratchDir: z.string(),
  }),
  /** `from`: the address of this node to dial from */
  z.object({ kind: z.literal('link'), next: HostPort, from: ProbeAddress.optional() }),
  z.object({ kind: z.literal('generate'), request: GenerateRequest }),
  z.object({ kind: z.literal('cancel'), requestId: z.string() }),
  /** asks for the last steps */
  z.object({ kind: z.literal('trace') }),
  z.object({ kind: z.literal('stop') }),
]);
export type WorkerCommand = z.infer<typeof WorkerCommand>;

/** worker → agent */
export const WorkerEvent = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('loaded'), hopPort: z.int(), weightBytes: z.number() }),
  /** both hops of this stage are open */
  z.object({ kind: z.literal('linked') }),
  z.object({ kind: z.literal('tokens'), tokens: z.array(TokenEvent) }),
  z.object({ kind: z.literal('request-failed'), failure: RequestFailure }),
  z.object({ kind: z.literal('stats'), stats: StageStats }),
  z.object({ kind: z.literal('trace'), steps: TracedSteps }),
  /** the worker ends itself after this one */
  z.object({ kind: z.literal('fatal'), code: z.string(), message: z.string() }),
]);
export type WorkerEvent = z.infer<typeof WorkerEvent>;
