// What holds for every picture, whatever the cluster tells and however the window is made: so many lines, none too wide.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { frame } from '../../../dashboard/paint/frame.ts';
import { lineWidth, plainText } from '../../../dashboard/paint/line.ts';
import { reduce, type ViewState } from '../../../dashboard/store.ts';
import { NO_TALK } from '../../../dashboard/talk.ts';
import { INITIAL_UI, PANES, type Ui } from '../../../dashboard/ui.ts';
import type { ClusterStatus } from '../../../protocol/status.ts';
import { SAMPLE_TIME, sampleNode, sampleStage } from '../sample.ts';
import { STATES, sampleCluster, sampleView } from '../sample-cluster.ts';
import { drawn, inputOf, LOOK } from './drawn.ts';

const viewOf = (status: ClusterStatus): ViewState =>
  reduce(sampleView('serving', 3), { kind: 'snapshot', status });

const UIS: Ui[] = [
  ...PANES.map((pane): Ui => ({ ...INITIAL_UI, pane })),
  ...PANES.map((pane): Ui => ({ ...INITIAL_UI, pane, overlay: 'detail' })),
  { ...INITIAL_UI, overlay: 'help' },
  { ...INITIAL_UI, overlay: 'chat', typing: 'chat', draft: 'だれ？'.repeat(50) },
  { ...INITIAL_UI, typing: 'filter', filter: 'studio'.repeat(10) },
  { ...INITIAL_UI, scroll: 1_000, isPaused: true, notice: 'done '.repeat(50) },
  { ...INITIAL_UI, question: { text: 'Drain? '.repeat(30), answers: [] } },
];

const TALK = {
  ...NO_TALK,
  question: 'why?',
  thinking: 'hm '.repeat(900),
  answer: '工'.repeat(900),
  state: 'done' as const,
};

function assertFits(view: ViewState, columns: number, rows: number): void {
  for (const ui of UIS) {
    const lines = frame(inputOf(columns, rows, { view, ui, talk: TALK }));
    assert.equal(lines.length, rows);
    for (const { line } of lines)
      assert.ok(lineWidth(line) <= columns, `${columns}x${rows} ${ui.overlay}: "${plainText(line)}"`);
  }
}

const many = (count: number): ClusterStatus => {
  const indices = Array.from({ length: count }, (_, index) => index);
  return {
    ...sampleCluster(1),
    nodes: indices.map((index) => sampleNode(index, index === 40 ? { state: 'lost' } : {})),
    stages: indices.map((index) => sampleStage(index)),
  };
};

const crowded = (): ClusterStatus => {
  const [request] = sampleCluster(1).requests;
  assert.ok(request);
  const requests = Array.from({ length: 1_000 }, (_, index) => ({
    ...request,
    id: `req-${index}`,
    ageMs: index,
  }));
  return { ...sampleCluster(3), requests, requestsWaiting: 997 };
};

const foreign = (): ClusterStatus => {
  const nasty = '\u001b[2J\u001b]0;x\u0007工作\u202e站\n\u009b31m'.repeat(20);
  return {
    ...sampleCluster(3),
    nodes: [
      sampleNode(0, { name: nasty, chip: nasty, address: nasty }),
      sampleNode(1, { name: nasty, state: 'lost' }),
    ],
    stages: [sampleStage(0, { node: nasty }), sampleStage(1, { node: nasty })],
    requests: sampleCluster(3).requests.map((request) => ({ ...request, client: nasty, id: nasty })),
    events: [{ at: SAMPLE_TIME, level: 'info', text: nasty, fix: nasty }],
    reason: nasty,
  };
};

describe('every picture fits', () => {
  const sizes = [
    ...[1, 3, 10, 45, 60, 110, 200].map((columns) => [columns, 16] as const),
    ...[1, 2, 4, 8, 20, 60].map((rows) => [80, rows] as const),
  ];
  for (const state of STATES)
    test(`${state}, of one, three and six nodes`, () => {
      for (const nodes of [1, 3, 6]) {
        const view = sampleView(state, nodes);
        for (const [columns, rows] of sizes) assertFits(view, columns, rows);
      }
    });
  for (const [name, status] of Object.entries({ 'of 64 nodes': many(64), 'of 1,000 requests': crowded() }))
    test(name, () => {
      const view = viewOf(status);
      for (const [columns, rows] of sizes) assertFits(view, columns, rows);
    });
  test('with names and texts that would steer the terminal, and wide characters', () => {
    const view = viewOf(foreign());
    for (const [columns, rows] of sizes) assertFits(view, columns, rows);
    for (const ui of UIS)
      for (const { line } of frame(inputOf(100, 40, { view, ui }))) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
        assert.doesNotMatch(plainText(line), /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
      }
  });
});

describe('lists', () => {
  test('more nodes than lines are counted, the lost ones named, and the chosen one is in sight', () => {
    const view = viewOf(many(64));
    const lines = drawn(90, 24, { view, ui: { ...INITIAL_UI, nodeKey: 'stage 50' } });
    const shown = lines.filter((line) => /^[ ▸][●✗].{2}studio-/.test(line));
    assert.ok(shown.some((line) => line.startsWith('▸') && line.includes('studio-51')));
    assert.ok(lines.some((line) => line.includes(`and ${64 - shown.length} more nodes: j and k lead there`)));
  });

  test('the chosen request of a thousand is in sight', () => {
    const ui: Ui = { ...INITIAL_UI, pane: 'requests', requestId: 'req-500' };
    const lines = drawn(120, 40, { view: viewOf(crowded()), ui });
    assert.ok(lines.some((line) => line.startsWith('▸') && line.includes('req-500')));
  });

  test('a filter leaves what it names', () => {
    const lines = drawn(80, 24, { ui: { ...INITIAL_UI, filter: 'studio-2' } });
    assert.equal(lines.filter((line) => /^[ ▸]● /.test(line)).length, 1);
  });
});

describe('meaning', () => {
  test('never is by colour alone: every state has its own mark or word', () => {
    const view = viewOf({
      ...sampleCluster(3),
      state: 'degraded',
      nodes: [
        sampleNode(0),
        sampleNode(1, { state: 'lost' }),
        sampleNode(2),
        sampleNode(3, { isDrained: true }),
      ],
      stages: [sampleStage(0), sampleStage(1), sampleStage(2, { state: 'failed' })],
    });
    const text = drawn(100, 30, { view, look: { ...LOOK, colours: false } }).join('\n');
    for (const pattern of [
      /▲ degraded/,
      /✗ {2}studio-2 .*lost, was at 192\.168\.1\.21:7118/,
      /✗ {2}studio-3 .*the stage has failed/,
      /○ {2}studio-4 .*drained: Apple M3 Ultra, 512 GiB/,
    ])
      assert.match(text, pattern);
  });

  test('what was not measured is a dash, never a zero', () => {
    const unmeasured = {
      ...{ tokensPerSecond: null, stepTimeMs: null, busyShare: null, kvBytes: null, hopBytesPerSecond: null },
    };
    const stages = [0, 1].map((index) => sampleStage(index, unmeasured));
    const line = drawn(120, 30, { view: viewOf({ ...sampleCluster(3), stages }) }).find((text) =>
      /studio-2/.test(text),
    );
    assert.match(line ?? '', /studio-2 +10–19 +– .* – +– .* – /);
  });

  test('a paused picture says so', () => {
    assert.match(drawn(80, 24, { ui: { ...INITIAL_UI, isPaused: true } })[0] ?? '', /paused {2}● serving$/);
  });
});
