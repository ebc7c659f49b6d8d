// One node on one line: its measures while its stage works, otherwise what is the matter with it.
import { Box, Text } from 'ink';
import { formatRange } from '../../protocol/plan.ts';
import type { StageStatus } from '../../protocol/status.ts';
import { formatBytes, formatBytesShort, formatNumber, formatShare, printable } from '../format.ts';
import { bar, sparkline } from '../graph.ts';
import { type Columns, MARK_WIDTH } from '../layout.ts';
import type { NodeRow, RowState } from '../node-rows.ts';
import type { History } from '../store.ts';
import { Cell } from './cell.tsx';
import { type Tone, useTone } from './theme.tsx';

interface Props {
  row: NodeRow;
  history: History;
  /** the rate that fills the history's height */
  peak: number;
  columns: Columns;
}

const STATES: Record<RowState, { mark: string; tone: Tone }> = {
  linked: { mark: '●', tone: 'good' },
  loaded: { mark: '◑', tone: 'warn' },
  loading: { mark: '◔', tone: 'warn' },
  failed: { mark: '✗', tone: 'bad' },
  lost: { mark: '✗', tone: 'bad' },
  spare: { mark: '○', tone: 'quiet' },
};

/** The percentage beside the bar, with a space: ` 100%`. */
const PERCENT_WIDTH = 5;

export function NodeLine({ row, history, peak, columns }: Props) {
  const tone = useTone();
  const { mark, tone: stateTone } = STATES[row.state];
  return (
    <Box>
      <Box width={MARK_WIDTH} flexShrink={0}>
        <Text {...tone(stateTone)}>{mark}</Text>
      </Box>
      <Cell width={columns.name} tone={row.state === 'lost' ? 'bad' : 'plain'}>
        {printable(row.name)}
      </Cell>
      <Cell width={columns.layers} tone={row.state === 'linked' ? 'plain' : 'quiet'}>
        {row.stage === null ? '–' : formatRange(row.stage.range)}
      </Cell>
      {row.stage !== null && row.state === 'linked' ? (
        <Measures stage={row.stage} chip={row.node?.chip ?? ''} {...{ history, peak, columns }} />
      ) : (
        <Text {...tone(stateTone)} wrap="truncate">
          {describe(row)}
        </Text>
      )}
    </Box>
  );
}

function Measures({
  stage,
  chip,
  history,
  peak,
  columns,
}: {
  stage: StageStatus;
  chip: string;
} & Omit<Props, 'row'>) {
  const barWidth = Math.max(0, (columns.busy ?? 0) - PERCENT_WIDTH);
  return (
    <>
      <Cell width={columns.rate} align="right" tone="title">
        {formatNumber(stage.tokensPerSecond)}
      </Cell>
      <Cell width={columns.decodeRate} align="right">
        {formatNumber(stage.decodeTokensPerSecond)}
      </Cell>
      <Cell width={columns.history} tone="accent">
        {sparkline(history, peak, columns.history ?? 0)}
      </Cell>
      <Cell width={columns.step} align="right">
        {formatNumber(stage.stepTimeMs)}
      </Cell>
      <Cell width={columns.busy}>
        {bar(stage.busyShare, barWidth) + formatShare(stage.busyShare).padStart(PERCENT_WIDTH)}
      </Cell>
      <Cell width={columns.memory}>
        {`${formatBytesShort(stage.weightBytes)}/${formatBytesShort(stage.residentBytes)}`}
      </Cell>
      <Cell width={columns.weights} align="right">
        {formatBytes(stage.weightBytes)}
      </Cell>
      <Cell width={columns.kv} align="right">
        {formatBytes(stage.kvBytes)}
      </Cell>
      <Cell width={columns.resident} align="right">
        {formatBytes(stage.residentBytes)}
      </Cell>
      <Cell width={columns.hop} align="right">
        {formatBytes(stage.hopBytesPerSecond)}
      </Cell>
      <Cell width={columns.pid} align="right" tone="quiet">
        {stage.pid ?? '–'}
      </Cell>
      <Cell width={columns.chip} tone="quiet">
        {printable(chip)}
      </Cell>
    </>
  );
}

function describe({ state, stage, node }: NodeRow): string {
  if (state === 'spare') {
    return node === null ? 'no stage' : `no stage: ${printable(node.chip)}, ${formatBytes(node.memoryBytes)}`;
  }
  if (state === 'lost') return `lost${node === null ? '' : `, was at ${printable(node.address)}`}`;
  const weights = formatBytes(stage?.weightBytes ?? null);
  if (state === 'loading') return `loading ${weights} of weights`;
  if (state === 'loaded') return `loaded ${weights}, waits for its neighbours`;
  return 'failed: see the events below';
}
