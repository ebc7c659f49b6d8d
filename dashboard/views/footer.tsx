// The last line: the keys, and which controller the picture comes from.
import { Box, Text } from 'ink';
import { useTone } from './theme.tsx';

interface Props {
  controller: string;
  helpOpen: boolean;
  /** without a keyboard there is nothing to press */
  keys: boolean;
}

export function Footer({ controller, helpOpen, keys }: Props) {
  const tone = useTone();
  return (
    <Box justifyContent="space-between">
      <Text {...tone('quiet')} wrap="truncate">
        {keys ? `q quit  ? ${helpOpen ? 'back' : 'help'}` : 'Ctrl-C quit'}
      </Text>
      <Box flexShrink={1} marginLeft={2}>
        <Text {...tone('quiet')} wrap="truncate-start">
          {controller}
        </Text>
      </Box>
    </Box>
  );
}
