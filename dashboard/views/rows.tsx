// Lines on the terminal, each by itself: one that says what it said is not laid out again.
import { Box, Text } from 'ink';
import { memo } from 'react';

/** @param lines with their styles; as many as the window is high */
export function Rows({ lines }: { lines: readonly string[] }) {
  // No width: an explicit one leaves garbage behind when the terminal shrinks.
  return (
    <Box flexDirection="column" height={lines.length} overflow="hidden">
      {lines.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line is what stands at its place
        <Row key={index} text={line} />
      ))}
    </Box>
  );
}

const Row = memo(function Row({ text }: { text: string }) {
  return (
    <Box height={1} flexShrink={0}>
      <Text wrap="truncate">{text === '' ? ' ' : text}</Text>
    </Box>
  );
});
