// The requests: their counts as a heading, then the ones in work, the oldest first.
import { Box, Text } from 'ink';
import type { ClusterStatus, RequestStatus } from '../../protocol/status.ts';
import { formatAge, formatCount, formatNumber, printable } from '../format.ts';
import { Cell } from './cell.tsx';
import { useTone } from './theme.tsx';

interface Props {
  status: ClusterStatus;
  /** lines below the heading */
  lines: number;
}

export function Requests({ status, lines }: Props) {
  const tone = useTone();
  const requests = [...status.requests].sort((a, b) => b.ageMs - a.ageMs);
  const shown = requests.length <= lines ? requests : requests.slice(0, Math.max(0, lines - 1));
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Text wrap="truncate">
        <Text {...tone('title')}>Requests</Text>
        {`  ${status.requestsRunning} running, ${status.requestsWaiting} waiting`}
        <Text {...tone('quiet')}>
          {`, ${formatCount(status.requestsCompleted)} done, ${formatCount(status.requestsFailed)} failed`}
        </Text>
      </Text>
      {lines > 0 && requests.length === 0 && <Text {...tone('quiet')}>{'  none'}</Text>}
      {shown.map((request) => (
        <RequestLine key={request.id} request={request} />
      ))}
      {lines > 0 && shown.length < requests.length && (
        <Text {...tone('quiet')}>{`  and ${requests.length - shown.length} more`}</Text>
      )}
    </Box>
  );
}

const MARKS: Record<RequestStatus['phase'], string> = {
  waiting: '○',
  prefill: '◐',
  decode: '●',
  recovering: '◌',
};

function RequestLine({ request }: { request: RequestStatus }) {
  return (
    <Box>
      <Cell width={1}>{MARKS[request.phase]}</Cell>
      <Cell width={12}>{printable(request.id)}</Cell>
      <Cell width={10}>{request.phase}</Cell>
      <Cell width={6} align="right">
        {formatAge(request.ageMs)}
      </Cell>
      <Cell width={14} align="right">{`${request.promptTokens} + ${request.tokens}`}</Cell>
      <Cell width={11} align="right">{`${formatNumber(request.tokensPerSecond)} tok/s`}</Cell>
    </Box>
  );
}
