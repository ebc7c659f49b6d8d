// One cell of a table: a fixed width, cut off with an ellipsis, one space after it.
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { type Tone, useTone } from './theme.tsx';

interface Props {
  /** characters; a column without a width is not shown */
  width: number | undefined;
  align?: 'left' | 'right';
  tone?: Tone;
  children: ReactNode;
}

export function Cell({ width, align = 'left', tone = 'plain', children }: Props) {
  const style = useTone()(tone);
  if (width === undefined) return null;
  return (
    <Box
      width={width}
      marginRight={1}
      flexShrink={0}
      justifyContent={align === 'left' ? 'flex-start' : 'flex-end'}
    >
      <Text {...style} wrap="truncate">
        {children}
      </Text>
    </Box>
  );
}
