// The whole screen from a view state and a size. It has no state of its own and reads no clock: the same input gives
// the same characters.
import { Box } from 'ink';
import { chooseColumns, shareLines } from '../layout.ts';
import { nodeRows } from '../node-rows.ts';
import { noticesOf } from '../notices.ts';
import type { ViewState } from '../store.ts';
import { Connecting } from './connecting.tsx';
import { Events } from './events.tsx';
import { Footer } from './footer.tsx';
import { Header } from './header.tsx';
import { Help } from './help.tsx';
import { NodeTable } from './node-table.tsx';
import { NoticeLines } from './notice-lines.tsx';
import { Requests } from './requests.tsx';
import { ThemeContext } from './theme.tsx';
import { Totals } from './totals.tsx';

export interface ScreenProps {
  view: ViewState;
  size: { columns: number; rows: number };
  /** milliseconds since 1970 */
  now: number;
  /** the controller's address, for reading only */
  controller: string;
  helpOpen: boolean;
  keys: boolean;
  colours: boolean;
}

export function Screen(props: ScreenProps) {
  const { view, size, controller, helpOpen, keys, colours } = props;
  // No width: an explicit one leaves garbage behind when the terminal shrinks.
  return (
    <ThemeContext value={{ colours, stale: false }}>
      <Box flexDirection="column" height={size.rows} overflow="hidden" justifyContent="space-between">
        <Box flexDirection="column" flexShrink={1} overflow="hidden">
          {view.status === null ? (
            <Connecting
              controller={controller}
              trouble={view.connection.kind === 'connecting' ? view.connection.trouble : null}
            />
          ) : (
            <Picture {...props} status={view.status} />
          )}
        </Box>
        <Box flexShrink={0} flexDirection="column">
          <Footer controller={controller} helpOpen={helpOpen} keys={keys} />
        </Box>
      </Box>
    </ThemeContext>
  );
}

function Picture({
  view,
  status,
  size,
  now,
  helpOpen,
  colours,
}: ScreenProps & { status: NonNullable<ViewState['status']> }) {
  const notices = noticesOf(view, now, size.columns);
  const rows = nodeRows(status);
  const lines = shareLines(size, {
    noticeLines: notices.reduce((sum, notice) => sum + notice.lines, 0),
    nodeCount: rows.length,
    requestCount: status.requests.length,
  });
  const gap = lines.spaced ? 1 : 0;
  return (
    <>
      <NoticeLines notices={notices.filter((notice) => notice.kind === 'gone')} />
      <ThemeContext value={{ colours, stale: view.connection.kind === 'gone' }}>
        <Header status={status} />
        <NoticeLines notices={notices.filter((notice) => notice.kind === 'reason')} />
        {helpOpen ? (
          <Help />
        ) : (
          <>
            <Totals status={status} history={view.clusterHistory} columns={size.columns} />
            <Box flexDirection="column" flexShrink={0} marginTop={gap}>
              <NodeTable
                rows={rows}
                histories={view.nodeHistory}
                columns={chooseColumns(size.columns)}
                lines={lines.nodes}
              />
            </Box>
            <Box
              flexDirection={lines.sideBySide ? 'row' : 'column'}
              flexShrink={0}
              gap={lines.sideBySide ? 2 : gap}
              marginTop={gap}
            >
              <Requests status={status} lines={lines.requests} />
              <Box flexShrink={1} flexDirection="column">
                <Events events={status.events} lines={lines.events} />
              </Box>
            </Box>
          </>
        )}
      </ThemeContext>
    </>
  );
}
