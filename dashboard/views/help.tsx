// What the screen means and which keys it takes; it has to fit 60 x 14.
import { Box, Text } from 'ink';
import { useTone } from './theme.tsx';

const LINES: readonly (readonly [string, string])[] = [
  ['tok/s', 'tokens through the stage, prompt and answer'],
  ['decode/s', 'of these, tokens of answers'],
  ['trend', 'tok/s: two samples a character, one scale for all'],
  ['step ms', 'mean time of a decode step, compute and hop'],
  ['busy', 'share of the time that the stage computes'],
  ['wts/memory', 'weights, and memory of the process with them'],
  ['K M G', 'KiB, MiB, GiB: steps of 1024'],
  ['–', 'not measured yet'],
  ['● ◑ ◔', 'stage linked, loaded, loading'],
  ['○ ✗', 'node without a stage; lost or failed'],
  ['q  ?', 'quit; this help and back'],
];

export function Help() {
  const tone = useTone();
  return (
    <Box flexDirection="column">
      <Text {...tone('title')}>What the screen says</Text>
      {LINES.map(([term, meaning]) => (
        <Box key={term}>
          <Box width={11} flexShrink={0}>
            <Text {...tone('accent')}>{term}</Text>
          </Box>
          <Text wrap="truncate">{meaning}</Text>
        </Box>
      ))}
    </Box>
  );
}
