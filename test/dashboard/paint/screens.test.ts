// The screen as people see it, kept as text in test/dashboard/screens: UPDATE_SCREENS=1 writes it anew, and the
// difference is to be looked at.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nodeRows } from '../../../dashboard/node-rows.ts';
import { toAscii } from '../../../dashboard/paint/look.ts';
import { INITIAL_VIEW, reduce } from '../../../dashboard/store.ts';
import { INITIAL_UI } from '../../../dashboard/ui.ts';
import { SAMPLE_TIME } from '../sample.ts';
import { STATES, sampleView } from '../sample-cluster.ts';
import { drawn, LOOK } from './drawn.ts';

process.env.TZ = 'UTC';

const SIZES = [
  [60, 16],
  [80, 24],
  [120, 40],
  [200, 50],
] as const;

/** The pictures lie with the sources, also when the compiled test runs from dist/. */
function screensFolder(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json'))) dir = dirname(dir);
  return join(dir, 'test', 'dashboard', 'screens');
}

function assertScreen(name: string, lines: readonly string[]): void {
  const file = join(screensFolder(), `${name}.txt`);
  const text = `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
  if (process.env.UPDATE_SCREENS === '1') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  assert.equal(text, readFileSync(file, 'utf8'));
}

for (const [columns, rows] of SIZES) {
  describe(`${columns}x${rows}`, () => {
    for (const nodes of [1, 3, 6])
      for (const state of STATES)
        test(`${nodes} nodes, ${state}`, () => {
          const view = sampleView(state, nodes);
          assertScreen(`${columns}x${rows}/${nodes}-nodes-${state}`, drawn(columns, rows, { view }));
        });
  });
}

describe('what keys open', () => {
  const node = { ...INITIAL_UI, overlay: 'detail' as const };
  const thinking = 'strawberry: 1 s 2 t 3 r.\nI see r at 3, 8, 9.';
  const talk = {
    ...{
      question: "How many r's are in strawberry?",
      state: 'answering' as const,
      trouble: null,
      pieces: 31,
    },
    ...{ thinking, answer: 'There are **3** letters r' },
  };
  const chat = {
    ...INITIAL_UI,
    overlay: 'chat' as const,
    typing: 'chat' as const,
    draft: 'and in raspberry',
  };
  const pictures: Record<string, () => string[]> = {
    'help-60x16': () => drawn(60, 16, { ui: { ...INITIAL_UI, overlay: 'help' } }),
    'node-80x24': () => drawn(80, 24, { ui: node }),
    'node-120x40': () => drawn(120, 40, { ui: node }),
    'request-80x24': () => drawn(80, 24, { ui: { ...node, pane: 'requests' } }),
    'chat-60x16': () => drawn(60, 16, { ui: chat, talk }),
    'chat-120x40': () => drawn(120, 40, { ui: chat, talk, view: sampleView('serving', 6) }),
    'ascii-80x24': () =>
      drawn(80, 24, { look: { ...LOOK, ascii: true, graph: 'block' } }).map((line) => toAscii(line)),
    'blocks-80x24': () => drawn(80, 24, { look: { ...LOOK, graph: 'block' } }),
    'connecting-60x16': () => drawn(60, 16, { view: INITIAL_VIEW }),
    'unreachable-60x16': () =>
      drawn(60, 16, {
        view: reduce(INITIAL_VIEW, { kind: 'gone', trouble: 'connection refused', at: SAMPLE_TIME }),
      }),
    'drain-80x24': () => {
      const view = sampleView('serving', 3);
      const [row] = view.status ? nodeRows(view.status) : [];
      const question = { text: `Drain ${row?.name}?`, answers: [] };
      return drawn(80, 24, { view, ui: { ...INITIAL_UI, question } });
    },
  };
  for (const [name, picture] of Object.entries(pictures)) test(name, () => assertScreen(name, picture()));
});
