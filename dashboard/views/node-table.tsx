// The pipeline as a table: a heading, one line a node, and how many more there are when not all fit.
import { Box, Text } from 'ink';
import { formatPlural } from '../format.ts';
import type { Columns } from '../layout.ts';
import { MARK_WIDTH } from '../layout.ts';
import type { NodeRow } from '../node-rows.ts';
import type { History } from '../store.ts';
import { Cell } from './cell.tsx';
import { NodeLine } from './node-line.tsx';
import { useTone } from './theme.tsx';

interface Props {
  rows: readonly NodeRow[];
  histories: ReadonlyMap<string, History>;
  columns: Columns;
  /** lines below the heading */
  lines: number;
}

export function NodeTable({ rows, histories, columns, lines }: Props) {
  const tone = useTone();
  const shown = rows.length <= lines ? rows : rows.slice(0, Math.max(0, lines - 1));
  // One scale for all nodes: heights can be compared between them.
  const peak = Math.max(0, ...[...histories.values()].flat().map((sample) => sample ?? 0));
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Heading columns={columns} />
      {shown.map((row) => (
        <NodeLine
          key={row.key}
          row={row}
          history={(row.node && histories.get(row.node.id)) ?? []}
          peak={peak}
          columns={columns}
        />
      ))}
      {rows.length === 0 && (
        <Text {...tone('quiet')}>{'  no node yet: start one with `espalier agent`'}</Text>
      )}
      {shown.length < rows.length && (
        <Text {...tone('quiet')} wrap="truncate">
          {`  and ${moreNodes(rows.slice(shown.length))}`}
        </Text>
      )}
    </Box>
  );
}

function Heading({ columns }: { columns: Columns }) {
  return (
    <Box>
      <Box width={MARK_WIDTH} flexShrink={0} />
      <Cell width={columns.name} tone="quiet">
        node
      </Cell>
      <Cell width={columns.layers} tone="quiet">
        layers
      </Cell>
      <Cell width={columns.rate} align="right" tone="quiet">
        tok/s
      </Cell>
      <Cell width={columns.decodeRate} align="right" tone="quiet">
        decode/s
      </Cell>
      <Cell width={columns.history} tone="quiet">
        {(columns.history ?? 0) < 7 ? 'trend' : 'history'}
      </Cell>
      <Cell width={columns.step} align="right" tone="quiet">
        step ms
      </Cell>
      <Cell width={columns.busy} tone="quiet">
        busy
      </Cell>
      <Cell width={columns.memory} tone="quiet">
        wts/memory
      </Cell>
      <Cell width={columns.weights} align="right" tone="quiet">
        weights
      </Cell>
      <Cell width={columns.kv} align="right" tone="quiet">
        KV
      </Cell>
      <Cell width={columns.resident} align="right" tone="quiet">
        resident
      </Cell>
      <Cell width={columns.hop} align="right" tone="quiet">
        hop/s
      </Cell>
      <Cell width={columns.pid} align="right" tone="quiet">
        pid
      </Cell>
      <Cell width={columns.chip} tone="quiet">
        chip
      </Cell>
    </Box>
  );
}

function moreNodes(rows: readonly NodeRow[]): string {
  const notWell = rows.filter((row) => row.state === 'lost' || row.state === 'failed').length;
  const more = `${formatPlural(rows.length, 'more node')} that this window has no room for`;
  return notWell === 0 ? more : `${more}, ${notWell} of them lost or failed`;
}
