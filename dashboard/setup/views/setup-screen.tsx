// The wizard's screen from a page and a size. It has no state of its own: the same input gives the same characters.
import { Box, Text } from 'ink';

import { fitLines } from '../fit-lines.ts';
import { STEP_TITLES } from '../order.ts';
import type { Ask, Page } from '../page.ts';
import { ColoursContext, useTone } from './theme.tsx';

export interface SetupScreenProps {
  page: Page;
  size: { columns: number; rows: number };
  colours: boolean;
}

/** Title, a line below it, a line above the question, and the keys. */
const FRAME_ROWS = 4;
const MAX_OPTIONS = 9;

export function SetupScreen({ page, size, colours }: SetupScreenProps) {
  const rows = Math.max(1, size.rows - FRAME_ROWS - askRows(page.ask));
  const { lines, above, below } = fitLines(page.lines, size.columns, rows, page.offset);
  return (
    <ColoursContext value={colours}>
      <Box flexDirection="column" height={size.rows} overflow="hidden" justifyContent="space-between">
        <Box flexDirection="column" flexShrink={1} overflow="hidden">
          <Title page={page} />
          <Text> </Text>
          {lines.map(({ text, tone = 'plain' }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is nothing but its place
            <BodyLine key={index} text={text} tone={tone} />
          ))}
        </Box>
        <Box flexDirection="column" flexShrink={0}>
          <Text> </Text>
          {page.ask && <Question ask={page.ask} />}
          <Keys ask={page.ask} above={above} below={below} />
        </Box>
      </Box>
    </ColoursContext>
  );
}

function askRows(ask: Ask | null): number {
  if (ask === null) return 0;
  return ask.kind === 'choice' ? 1 + Math.min(MAX_OPTIONS, ask.options.length) : 1;
}

function Title({ page: { step, steps } }: { page: Page }) {
  const tone = useTone();
  const place = step === null ? '' : `${steps.indexOf(step) + 1} of ${steps.length}`;
  return (
    <Box justifyContent="space-between" flexShrink={0}>
      <Text wrap="truncate">
        <Text {...tone('title')}>Espalier</Text>
        <Text {...tone('accent')}>{`  ${step === null ? 'setup' : STEP_TITLES[step]}`}</Text>
      </Text>
      <Box flexShrink={0} marginLeft={1}>
        <Text {...tone('quiet')}>{place}</Text>
      </Box>
    </Box>
  );
}

function BodyLine({ text, tone }: { text: string; tone: Parameters<ReturnType<typeof useTone>>[0] }) {
  const style = useTone()(tone);
  return (
    <Text {...style} wrap="truncate">
      {text === '' ? ' ' : text}
    </Text>
  );
}

function Question({ ask }: { ask: Ask }) {
  const tone = useTone();
  if (ask.kind === 'busy') {
    return (
      <Text {...tone('warn')} wrap="truncate">
        {`◐ ${ask.what} …`}
      </Text>
    );
  }
  if (ask.kind === 'text') {
    return (
      <Text wrap="truncate-start">
        <Text {...tone('title')}>{`${ask.question}: `}</Text>
        {ask.text}
        <Text {...tone('accent')}>█</Text>
      </Text>
    );
  }
  const { options, selected, question } = ask;
  const first = Math.max(0, Math.min(selected - MAX_OPTIONS + 1, options.length - MAX_OPTIONS));
  return (
    <Box flexDirection="column">
      <Text {...tone('title')} wrap="truncate">
        {question}
      </Text>
      {options.slice(first, first + MAX_OPTIONS).map(({ value, label }, index) => {
        const isSelected = first + index === selected;
        return (
          <Text key={value} {...tone(isSelected ? 'accent' : 'plain')} wrap="truncate">
            {`${isSelected ? '❯' : ' '} ${label}`}
          </Text>
        );
      })}
    </Box>
  );
}

function Keys({ ask, above, below }: { ask: Ask | null; above: number; below: number }) {
  const tone = useTone();
  const options = ask?.kind === 'choice' ? ask.options.length : 0;
  const place = ask?.kind === 'choice' && options > MAX_OPTIONS ? ` ${ask.selected + 1} of ${options}` : '';
  const choose = options > 1 ? `↑↓ choose${place}  ` : '';
  const enter = ask === null || ask.kind === 'busy' ? '' : 'Enter take it  ';
  const more = below > 0 ? `PgDn ${below} more lines  ` : above > 0 ? 'PgUp back up  ' : '';
  return (
    <Text {...tone('quiet')} wrap="truncate">
      {`${more}${choose}${enter}Esc back  Ctrl-C leave, and go on later`}
    </Text>
  );
}
