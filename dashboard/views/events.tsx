// What happened, the newest first, each with its way out where there is something to fix. What does not fit is hidden.
import { Box, Text } from 'ink';
import type { ClusterEvent } from '../../protocol/status.ts';
import { formatClock, printable } from '../format.ts';
import { type Tone, useTone } from './theme.tsx';

interface Props {
  events: readonly ClusterEvent[];
  /** lines below the heading */
  lines: number;
}

const LEVELS: Record<ClusterEvent['level'], { mark: string; tone: Tone }> = {
  info: { mark: '·', tone: 'plain' },
  warn: { mark: '!', tone: 'warn' },
  error: { mark: '✗', tone: 'bad' },
};

export function Events({ events, lines }: Props) {
  const tone = useTone();
  // more than the lines can hold is never visible: it need not be laid out
  const newest = events.slice(-Math.max(1, lines)).reverse();
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Text {...tone('title')}>Events</Text>
      <Box flexDirection="column" height={lines} overflow="hidden">
        {newest.length === 0 && <Text {...tone('quiet')}>{'  none'}</Text>}
        {newest.map((event, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: events have no id, may repeat, and their lines have no state
          <EventLines key={index} event={event} />
        ))}
      </Box>
    </Box>
  );
}

function EventLines({ event }: { event: ClusterEvent }) {
  const tone = useTone();
  const { mark, tone: levelTone } = LEVELS[event.level];
  return (
    <Box flexShrink={0}>
      <Box flexShrink={0} marginRight={1}>
        <Text {...tone('quiet')}>{formatClock(event.at)}</Text>
      </Box>
      <Box flexShrink={0} marginRight={1}>
        <Text {...tone(levelTone)}>{mark}</Text>
      </Box>
      <Box flexDirection="column" flexShrink={1}>
        <Text>{printable(event.text)}</Text>
        {event.fix !== null && <Text {...tone('accent')}>{`→ ${printable(event.fix)}`}</Text>}
      </Box>
    </Box>
  );
}
