// A mark and a tone for every state. The state's own word always stands beside them: nothing is said by colour alone.
import type { ClusterEvent, ClusterState, RequestStatus } from '../../protocol/status.ts';
import type { RowState } from '../node-rows.ts';
import type { Tone } from './line.ts';

interface Mark {
  mark: string;
  tone: Tone;
}

export const CLUSTER_MARKS: Record<ClusterState, Mark> = {
  starting: { mark: '○', tone: 'warn' },
  deploying: { mark: '◐', tone: 'warn' },
  serving: { mark: '●', tone: 'good' },
  recovering: { mark: '◐', tone: 'warn' },
  degraded: { mark: '▲', tone: 'bad' },
  stopping: { mark: '■', tone: 'quiet' },
};

export const NODE_MARKS: Record<RowState, Mark> = {
  linked: { mark: '●', tone: 'good' },
  loaded: { mark: '◑', tone: 'warn' },
  loading: { mark: '◔', tone: 'warn' },
  failed: { mark: '✗', tone: 'bad' },
  lost: { mark: '✗', tone: 'bad' },
  spare: { mark: '○', tone: 'quiet' },
};

export const PHASE_MARKS: Record<RequestStatus['phase'], Mark> = {
  waiting: { mark: '○', tone: 'quiet' },
  prefill: { mark: '◐', tone: 'accent' },
  decode: { mark: '●', tone: 'good' },
  recovering: { mark: '◌', tone: 'warn' },
};

export const LEVEL_MARKS: Record<ClusterEvent['level'], Mark> = {
  info: { mark: '·', tone: 'quiet' },
  warn: { mark: '!', tone: 'warn' },
  error: { mark: '✗', tone: 'bad' },
};
