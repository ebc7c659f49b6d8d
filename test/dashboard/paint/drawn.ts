// The screen as plain text, for tests.
import { type FrameInput, frame } from '../../../dashboard/paint/frame.ts';
import { plainText } from '../../../dashboard/paint/line.ts';
import type { Look } from '../../../dashboard/paint/look.ts';
import { NO_TALK } from '../../../dashboard/talk.ts';
import { INITIAL_UI } from '../../../dashboard/ui.ts';
import { SAMPLE_TIME } from '../sample.ts';
import { sampleView } from '../sample-cluster.ts';

export const LOOK: Look = { graph: 'braille', ascii: false, colours: true, theme: 'dark' };

export function inputOf(columns: number, rows: number, changes: Partial<FrameInput> = {}): FrameInput {
  return {
    view: sampleView('serving', 3),
    ui: INITIAL_UI,
    talk: NO_TALK,
    size: { columns, rows },
    now: SAMPLE_TIME,
    controller: 'http://127.0.0.1:7117',
    hasKeys: true,
    look: LOOK,
    ...changes,
  };
}

export function drawn(columns: number, rows: number, changes: Partial<FrameInput> = {}): string[] {
  return frame(inputOf(columns, rows, changes)).map(({ line }) => plainText(line));
}
