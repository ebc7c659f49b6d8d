// The first line: what runs, and whether it serves.
import { Box, Text } from 'ink';
import type { ClusterState, ClusterStatus } from '../../protocol/status.ts';
import { printable } from '../format.ts';
import { type Tone, useTone } from './theme.tsx';

/** A mark and a tone for every state; the state's own word always stands beside them. */
const STATES: Record<ClusterState, { mark: string; tone: Tone }> = {
  starting: { mark: '○', tone: 'warn' },
  deploying: { mark: '◐', tone: 'warn' },
  serving: { mark: '●', tone: 'good' },
  recovering: { mark: '◐', tone: 'warn' },
  degraded: { mark: '▲', tone: 'bad' },
  stopping: { mark: '■', tone: 'quiet' },
};

export function Header({ status }: { status: ClusterStatus }) {
  const tone = useTone();
  const { mark, tone: stateTone } = STATES[status.state];
  const model = status.model === null ? 'no model yet' : printable(status.model.id);
  return (
    <Box justifyContent="space-between" flexShrink={0}>
      <Text wrap="truncate">
        <Text {...tone('title')}>Espalier</Text>
        {'  '}
        <Text {...tone('accent')}>{model}</Text>
        <Text {...tone('quiet')}>{`  ${status.engine}  epoch ${status.epoch}`}</Text>
      </Text>
      <Box flexShrink={0} marginLeft={1}>
        <Text {...tone(stateTone)}>{`${mark} ${status.state}`}</Text>
      </Box>
    </Box>
  );
}
