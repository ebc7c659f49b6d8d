// The words of MLX Distributed: a rank's place, how ranks find one another, and what a node has of the engine. MLX says
// rank where a plan says stage; rank 0 holds the last layers.
import { isIPv4 } from 'node:net';
import { z } from 'zod';
import { MAX_ENGINE_WORD_CHARS, MAX_RANK_CONNECTIONS, MAX_RANKS } from './limits.ts';

/** pipeline: each rank has some layers · tensor: each has a part of every layer */
export const Split = z.enum(['pipeline', 'tensor']);
export type Split = z.infer<typeof Split>;

export const RankPlace = z.object({
  rank: z
    .int()
    .min(0)
    .max(MAX_RANKS - 1),
  rankCount: z.int().min(1).max(MAX_RANKS),
  split: Split,
  /** of a pipeline: layers of each rank in turn, the last layers first */
  layerCounts: z.array(z.int().min(1)).max(MAX_RANKS),
});
export type RankPlace = z.infer<typeof RankPlace>;

/** `10.0.0.1:5000`: MLX takes IPv4 alone. */
const RankAddress = z.string().refine((text) => {
  const [host = '', port = '', ...more] = text.split(':');
  return more.length === 0 && isIPv4(host) && /^[1-9]\d{0,4}$/.test(port) && Number(port) < 65_536;
}, 'no IPv4 address with a port');

const DeviceName = z.string().regex(/^[A-Za-z][\w.-]{0,31}$/);

/** How ranks meet. ring: where each listens, once for each connection · jaccl: RDMA devices from each rank to each other */
export const RankLaunch = z.discriminatedUnion('backend', [
  z.object({
    backend: z.literal('ring'),
    hosts: z.array(z.array(RankAddress).min(1).max(MAX_RANK_CONNECTIONS)).min(1).max(MAX_RANKS),
  }),
  z.object({
    backend: z.literal('jaccl'),
    coordinator: RankAddress,
    devices: z.array(z.array(DeviceName.nullable()).max(MAX_RANKS)).max(MAX_RANKS),
  }),
]);
export type RankLaunch = z.infer<typeof RankLaunch>;

const Word = z.string().max(MAX_ENGINE_WORD_CHARS);

/** What a node has of MLX Distributed. */
export const EngineState = z.discriminatedUnion('state', [
  z.object({ state: z.literal('missing') }),
  z.object({ state: z.literal('installing'), step: Word }),
  z.object({ state: z.literal('failed'), code: Word, message: Word }),
  z.object({ state: z.literal('ready'), versions: z.record(Word, Word) }),
]);
export type EngineState = z.infer<typeof EngineState>;
