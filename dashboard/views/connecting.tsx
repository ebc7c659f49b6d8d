// Before the first picture: which controller is looked for, what is wrong, and what to do about it.
import { Box, Text } from 'ink';
import { ERRORS } from '../../protocol/errors.ts';
import { printable } from '../format.ts';
import { useTone } from './theme.tsx';

interface Props {
  /** the controller's address, for reading only */
  controller: string;
  trouble: string | null;
}

export function Connecting({ controller, trouble }: Props) {
  const tone = useTone();
  return (
    <Box flexDirection="column">
      <Text>
        <Text {...tone('title')}>Espalier</Text>
        {`  looking for a controller at ${controller} …`}
      </Text>
      {trouble !== null && (
        <Box flexDirection="column" marginTop={1}>
          <Text {...tone('bad')}>{`✗ ${printable(trouble)}`}</Text>
          <Text {...tone('accent')}>{`→ ${ERRORS.controller_unreachable.solve}`}</Text>
        </Box>
      )}
    </Box>
  );
}
