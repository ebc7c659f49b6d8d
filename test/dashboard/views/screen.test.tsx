import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Box } from 'ink';
import { cleanup, render } from 'ink-testing-library';
import { INITIAL_VIEW, reduce, type ViewState } from '../../../dashboard/store.ts';
import { Screen, type ScreenProps } from '../../../dashboard/views/screen.tsx';
import type { ClusterStatus } from '../../../protocol/status.ts';
import {
  SAMPLE_TIME,
  sampleDeploying,
  sampleLost,
  sampleNode,
  sampleStage,
  sampleStarting,
  sampleStatus,
} from '../sample.ts';

process.env.TZ = 'UTC';
afterEach(cleanup);

/** The pictures lie with the sources, also when the compiled test runs from dist/. UPDATE_SCREENS=1 writes them. */
function screensFolder(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json'))) dir = dirname(dir);
  return join(dir, 'test', 'dashboard', 'screens');
}

function viewOf(status: ClusterStatus): ViewState {
  const rates = [3, 5, 8, 8, 9, 12];
  let view = INITIAL_VIEW;
  for (const [index, rate] of rates.entries()) {
    const stages = status.stages.map((stage) =>
      stage.tokensPerSecond === null ? stage : { ...stage, tokensPerSecond: rate },
    );
    view = reduce(view, {
      kind: 'snapshot',
      status: { ...status, at: status.at - 10 + index, stages, tokensPerSecond: rate },
    });
  }
  return reduce(view, { kind: 'snapshot', status });
}

function draw(columns: number, rows: number, changes: Partial<ScreenProps> = {}): string {
  const props: ScreenProps = {
    view: viewOf(sampleStatus()),
    size: { columns, rows },
    now: SAMPLE_TIME,
    controller: 'http://127.0.0.1:7117',
    helpOpen: false,
    keys: true,
    colours: true,
    ...changes,
  };
  // ink-testing-library's terminal has 100 columns: this box stands in for one of another width
  const app = render(
    <Box width={columns}>
      <Box flexGrow={1} flexDirection="column">
        <Screen {...props} />
      </Box>
    </Box>,
  );
  return app.lastFrame() ?? '';
}

function assertScreen(name: string, actual: string): void {
  const file = join(screensFolder(), `${name}.txt`);
  const text = `${actual
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
  if (process.env.UPDATE_SCREENS === '1') writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'));
}

const gone = (status: ClusterStatus): ViewState =>
  reduce(viewOf(status), { kind: 'gone', trouble: 'connection refused', at: SAMPLE_TIME - 12_000 });

const six = () =>
  sampleStatus({
    nodes: [0, 1, 2, 3, 4, 5].map((index) => sampleNode(index)),
    stages: [0, 1, 2, 3, 4, 5].map((index) => sampleStage(index, { busyShare: index / 5 })),
  });

describe('pictures', () => {
  const pictures: Record<string, () => string> = {
    'serving-60x16': () => draw(60, 16),
    'serving-80x24': () => draw(80, 24),
    'six-nodes-60x16': () => draw(60, 16, { view: viewOf(six()) }),
    'six-nodes-100x30': () => draw(100, 30, { view: viewOf(six()) }),
    'starting-60x16': () => draw(60, 16, { view: viewOf(sampleStarting()) }),
    'deploying-80x24': () => draw(80, 24, { view: viewOf(sampleDeploying()) }),
    'lost-60x16': () => draw(60, 16, { view: viewOf(sampleLost()) }),
    'gone-80x24': () => draw(80, 24, { view: gone(sampleStatus()) }),
    'help-60x16': () => draw(60, 16, { helpOpen: true }),
    'connecting-60x16': () => draw(60, 16, { view: INITIAL_VIEW }),
    'unreachable-60x16': () =>
      draw(60, 16, {
        view: reduce(INITIAL_VIEW, { kind: 'gone', trouble: 'connection refused', at: SAMPLE_TIME }),
      }),
  };
  for (const [name, picture] of Object.entries(pictures)) {
    test(name, () => assertScreen(name, picture()));
  }
});

describe('at every size', () => {
  const views = { lost: viewOf(sampleLost()), six: viewOf(six()), gone: gone(sampleStatus()) };
  for (const [columns, rows] of [
    [10, 4],
    [30, 8],
    [45, 12],
    [60, 16],
    [76, 20],
    [99, 50],
  ] as const) {
    test(`${columns}x${rows} fills the window and no more`, () => {
      for (const [name, view] of Object.entries(views)) {
        const lines = draw(columns, rows, { view }).split('\n');
        assert.equal(lines.length, rows, name);
        for (const line of lines) assert.ok([...line].length <= columns, `${name}: "${line}"`);
      }
    });
  }

  test('more nodes than lines are counted, and the lost ones among them named', () => {
    const many = sampleStatus({
      nodes: Array.from({ length: 64 }, (_, index) =>
        sampleNode(index, index === 40 ? { state: 'lost' } : {}),
      ),
      stages: Array.from({ length: 64 }, (_, index) => sampleStage(index)),
    });
    const frame = draw(90, 24, { view: viewOf(many) });
    const shown = frame.match(/studio-\d+ {2}/g)?.length ?? 0;
    assert.match(frame, new RegExp(`and ${64 - shown} more nodes .*, 1 of them lost or failed`));
    assert.match(frame, /q quit/);
  });
});

describe('meaning', () => {
  test('never is by colour alone: without escape sequences every state has its own mark or word', () => {
    const frame = draw(80, 24, { view: viewOf(sampleLost()), colours: false });
    assert.match(frame, /▲ degraded/);
    assert.match(frame, /✗ studio-2 .* lost, was at 192\.168\.1\.21:7118/);
    assert.match(frame, /✗ studio-3 .* failed/);
    assert.match(frame, /○ studio-4 .* no stage: Apple M3 Ultra, 512 GiB/);
    assert.match(frame, /✗ studio-2 was lost: no heartbeat for 5 s/);
    assert.match(frame, /→ look whether studio-2 sleeps/);
  });

  test('what was not measured is a dash, never a zero', () => {
    const row = draw(60, 16, { view: viewOf(sampleDeploying()) })
      .split('\n')
      .find((line) => line.includes('studio-3'));
    assert.match(row ?? '', /– +– +– 58\.5G\/–/);
  });

  test('names and texts from other machines cannot steer the terminal', () => {
    const nasty = sampleStatus({
      nodes: [sampleNode(0, { name: 'evil\u001b[2J', chip: 'x\u0007' })],
      stages: [sampleStage(0, { node: 'evil\u001b[2J\nsecond' })],
      events: [{ at: SAMPLE_TIME, level: 'info', text: '\u001b]0;title\u0007hello', fix: '\u001b[1A' }],
    });
    const frame = draw(80, 24, { view: viewOf(nasty), colours: false });
    assert.match(frame, /evil sec/);
    assert.match(frame, /· hello/);
    for (const sequence of ['\u001b[2J', '\u001b]', '\u001b[1A', '\u0007'])
      assert.ok(!frame.includes(sequence));
  });
});
