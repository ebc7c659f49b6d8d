// The words of a trace: what each stage knows of its last steps, and the public document that is made of all stages'.
// Times are whole microseconds; where they are points in time, of the clock of the machine that measured them.
import { z } from 'zod';
import { MAX_TRACE_STEPS } from './limits.ts';
import { DraftPlace, EngineName, LayerRange } from './plan.ts';

export const TRACE_PATH = '/cluster/v1/trace';
/** Steps of a trace when nobody says how many. */
export const DEFAULT_TRACE_STEPS = 200;

/**
 * What a stage does, in the order of one step. wait: it has no step · tidy: it gives memory back between two steps ·
 * deserialize: bytes of a frame → a tensor that is read when it is computed with · compute: layers, and on the last stage
 * the draw · serialize: the result → a frame · send: that frame → the socket · finish: the agent is told, the next step
 * prepared.
 */
export const TRACE_PHASES = [
  'wait',
  'tidy',
  'deserialize',
  'compute',
  'serialize',
  'send',
  'finish',
] as const;
export type TracePhase = (typeof TRACE_PHASES)[number];

const Microseconds = z.int().min(0);

/** One step on one stage. What happened, in this order, without gaps: rest, tidy, wait | deserialize … finish. */
export const TracedStep = z.object({
  step: z.int().min(0),
  rows: z.int().min(0),
  prefillTokens: z.int().min(0),
  decodeTokens: z.int().min(0),
  /** decoded as guesses, be they right or wrong */
  guessedTokens: z.int().min(0),
  /** of the frame that went to the next stage; 0 where there is none */
  sentBytes: z.int().min(0),
  /** when the stage took the step up, since 1970 */
  beginUs: Microseconds,
  /** from the end of the step before: without a step until it tidied up, tidying up, and without a step again */
  restUs: Microseconds,
  tidyUs: Microseconds,
  waitUs: Microseconds,
  /** from beginUs on */
  deserializeUs: Microseconds,
  computeUs: Microseconds,
  serializeUs: Microseconds,
  sendUs: Microseconds,
  finishUs: Microseconds,
  /** first stage: when the last stage's answer came back, since 1970; null on other stages, or before it came */
  answeredUs: Microseconds.nullable(),
});
export type TracedStep = z.infer<typeof TracedStep>;

/** The last steps of a stage, oldest first. */
export const TracedSteps = z.array(TracedStep).max(MAX_TRACE_STEPS);
export type TracedSteps = z.infer<typeof TracedSteps>;

const Share = z.number().min(0).max(1);

/** How a stage spent the time in which steps were on their way through the cluster. */
export const StageTimes = z.object({
  index: z.int(),
  /** the node's name */
  node: z.string(),
  range: LayerRange,
  steps: z.int(),
  /** of that time; all phases but wait */
  busyShare: Share,
  phases: z.record(z.enum(TRACE_PHASES), z.object({ medianUs: z.number().min(0), share: Share })),
});
export type StageTimes = z.infer<typeof StageTimes>;

/** Where the time of one step's way went, from the first stage and back to it: means over all steps. */
export const RoundTimes = z.object({
  meanUs: z.number().min(0),
  /** layers and draws, on one stage after the other */
  computeShare: Share,
  /** tensors to bytes, bytes to sockets, and back */
  bytesShare: Share,
  /** on the way from stage to stage; of all hops together, because clocks do not tell them apart */
  linkShare: Share,
  /** at a stage that was busy with something else */
  queueShare: Share,
});
export type RoundTimes = z.infer<typeof RoundTimes>;

export const TraceSummary = z.object({
  steps: z.int(),
  /** of these, steps of nothing but guesses */
  guessedSteps: z.int().optional(),
  /** time in which at least one step was on its way */
  activeUs: z.number().min(0),
  stages: z.array(StageTimes),
  /** null where no step was seen on its whole way */
  round: RoundTimes.nullable(),
  /** why it is slow, in a sentence or two */
  verdict: z.string(),
});
export type TraceSummary = z.infer<typeof TraceSummary>;

/** The last step that a rank of MLX Distributed timed in its parts. */
export const RankTimes = z.object({
  index: z.int(),
  computeMs: z.number().min(0),
  /** in collectives: for other ranks and for the links */
  waitMs: z.number().min(0),
});
export type RankTimes = z.infer<typeof RankTimes>;

export const TraceMetadata = z.object({
  espalierVersion: z.string(),
  engine: EngineName,
  model: z.string(),
  epoch: z.int(),
  /** where the draft guesses; left out where there is none */
  draft: z.object({ place: DraftPlace, node: z.string() }).optional(),
  /** the moment of ts 0, milliseconds since 1970 on the clock of the first stage that answered; null without steps */
  startedAt: z.number().nullable(),
  stages: z.array(
    z.object({
      index: z.int(),
      nodeId: z.string(),
      node: z.string(),
      range: LayerRange,
      /** whether it answered in time: the others are missing from the trace */
      answered: z.boolean(),
      /** what was added to its times, and how far off that may be; null where the steps do not tell */
      clock: z.object({ offsetUs: z.int(), uncertaintyUs: z.int().min(0).nullable() }).nullable(),
    }),
  ),
  summary: TraceSummary,
  /** on MLX Distributed, whose ranks tell no steps: those that have timed one */
  ranks: z.array(RankTimes).optional(),
});
export type TraceMetadata = z.infer<typeof TraceMetadata>;

/**
 * A trace in Chrome's Trace Event Format, object form (ts and dur in microseconds, ph M: a name, X: a span, s and f: the
 * two ends of an arrow). https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
 */
export interface ChromeTrace {
  traceEvents: ChromeEvent[];
  displayTimeUnit: 'ms';
  metadata: TraceMetadata;
}

export type ChromeEvent =
  | { ph: 'M'; name: string; pid: number; tid?: number; args: Record<string, string | number> }
  | {
      ph: 'X';
      name: string;
      cat: string;
      pid: number;
      tid: number;
      ts: number;
      dur: number;
      /** a colour by Chrome's name for it; viewers that know none choose one by `name` */
      cname?: string;
      args?: Record<string, number>;
    }
  | { ph: 's'; name: string; cat: string; id: number; pid: number; tid: number; ts: number }
  | { ph: 'f'; bp: 'e'; name: string; cat: string; id: number; pid: number; tid: number; ts: number };
