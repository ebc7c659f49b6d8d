// The cluster as a whole in one line: how fast it writes, how soon it answers, how much it has to do.
import { Box, Text } from 'ink';
import type { ClusterStatus } from '../../protocol/status.ts';
import { formatDuration, formatNumber } from '../format.ts';
import { sparkline } from '../graph.ts';
import type { History } from '../store.ts';
import { useTone } from './theme.tsx';

interface Props {
  status: ClusterStatus;
  history: History;
  columns: number;
}

/** From this width on the requests have room in this line too; below it their own heading counts them. */
const WITH_REQUESTS = 76;
const WITH_HISTORY = 100;
const HISTORY_WIDTH = 16;

export function Totals({ status, history, columns }: Props) {
  const tone = useTone();
  const peak = history.reduce<number>((max, sample) => Math.max(max, sample ?? 0), 0);
  return (
    <Box flexShrink={0}>
      <Text wrap="truncate">
        <Text {...tone('title')}>{formatNumber(status.tokensPerSecond)}</Text>
        {' tok/s now'}
        {columns >= WITH_HISTORY && (
          <Text {...tone('accent')}>{`  ${sparkline(history, peak, HISTORY_WIDTH)}`}</Text>
        )}
        {`  ${formatNumber(status.tokensPerSecondMinute)} last minute`}
        {`  first token ${formatDuration(status.timeToFirstTokenMs)}`}
        {columns >= WITH_REQUESTS && `  ${status.requestsRunning} running, ${status.requestsWaiting} waiting`}
      </Text>
    </Box>
  );
}
