// The notices above the numbers, wrapped into the lines that they were given.
import { Box, Text } from 'ink';
import type { Notice } from '../notices.ts';
import { useTone } from './theme.tsx';

export function NoticeLines({ notices }: { notices: readonly Notice[] }) {
  const tone = useTone();
  return notices.map((notice) => (
    <Box key={notice.kind} height={notice.lines} flexShrink={0} overflow="hidden">
      <Text {...tone(notice.kind === 'gone' ? 'bad' : 'warn')} inverse={notice.kind === 'gone'}>
        {notice.text}
      </Text>
    </Box>
  ));
}
