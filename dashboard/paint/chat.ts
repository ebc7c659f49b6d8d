// The chat: what was asked, the answer as it comes, and each stage with a light that moves one place for every step that
// the stage has reported. Nothing moves that was not reported.
import type { ClusterStatus } from '../../protocol/status.ts';
import { formatDuration, formatNumber, printable } from '../format.ts';
import type { Talk } from '../talk.ts';
import { clipLine, joinFitting, type Line, span } from './line.ts';
import { endOf, fit, wrap } from './text.ts';

export interface ChatPicture {
  status: ClusterStatus;
  talk: Talk;
  draft: string;
  isTyping: boolean;
  lines: number;
  columns: number;
}

const MIN_TRACK = 4;
const MAX_TRACK = 16;
/** Beside the track: marks, the name, rate and step. */
const BESIDE_TRACK = 34;
const MIN_TALK_LINES = 4;
/** Combining marks and emoji take several characters for a cell. */
const MAX_CHARS_A_CELL = 4;

export function chatLines({ status, talk, draft, isTyping, lines, columns }: ChatPicture): Line[] {
  const lights = lightLines(status, columns, Math.max(1, lines - MIN_TALK_LINES));
  const prompt = promptLine(draft, isTyping, columns);
  const room = Math.max(0, lines - lights.length - 2);
  const said = talkLines(talk, columns, room);
  return [
    ...lights,
    [span(stateText(talk), talk.state === 'failed' ? 'bad' : 'quiet')] as Line,
    ...said.slice(-room || said.length),
    prompt,
  ].map((line) => clipLine(line, columns));
}

function lightLines({ stages }: ClusterStatus, columns: number, maxLines: number): Line[] {
  const width = Math.min(MAX_TRACK, Math.max(MIN_TRACK, columns - BESIDE_TRACK));
  const ordered = [...stages].sort((a, b) => a.index - b.index);
  const shown = ordered.slice(0, ordered.length <= maxLines ? maxLines : maxLines - 1);
  const drawn = shown.map((stage, index): Line => {
    const steps = stage.stepsTotal ?? null;
    const place = steps === null ? -1 : steps % width;
    const track = Array.from({ length: width }, (_, cell) => (cell === place ? '●' : '·')).join('');
    return [
      span(index === 0 ? '┌ ' : index === ordered.length - 1 ? '└ ' : '│ ', 'quiet'),
      span(fit(printable(stage.node), 10)),
      span(' '),
      span(track.slice(0, Math.max(0, place)), 'quiet'),
      ...(place < 0 ? [] : [span('●', 'good')]),
      span(track.slice(place + 1), 'quiet'),
      span(` ${fit(formatDuration(stage.stepTimeMs), 8, 'right')}`),
      span(` ${fit(`${formatNumber(stage.tokensPerSecond)} tok/s`, 11, 'right')}`, 'title'),
    ];
  });
  const more = ordered.length - shown.length;
  return more > 0 ? [...drawn, [span(`  and ${more} more stages`, 'quiet')]] : drawn;
}

function stateText({ state, pieces, trouble }: Talk): string {
  switch (state) {
    case 'idle':
      return 'Type a question; enter sends it, esc goes back.';
    case 'asking':
      return 'The prompt passes the stages …';
    case 'answering':
      return `${pieces} pieces of the answer have come`;
    case 'done':
      return `Done, in ${pieces} pieces.`;
    case 'failed':
      return `✗ ${printable(trouble ?? '')}`;
  }
}

/** The end of it is what is read: no more is wrapped than may be shown. */
function talkLines({ question, thinking, answer }: Talk, columns: number, lines: number): Line[] {
  if (question === null) return [];
  const paragraphs = (text: string) =>
    text
      .slice(-MAX_CHARS_A_CELL * columns * Math.max(1, lines))
      .split('\n')
      .map(printable)
      .join('\n')
      .trim();
  const asked = wrap(`> ${printable(question)}`, columns).map((line): Line => [span(line, 'accent')]);
  const thought = thinking.trim() === '' ? [] : wrap(paragraphs(thinking), columns);
  const answered = answer.trim() === '' ? [] : wrap(paragraphs(answer), columns);
  return [
    ...asked,
    ...thought.map((line): Line => [span(line, 'quiet')]),
    ...answered.map((line): Line => [span(line)]),
  ];
}

/** The end of what is being written: that is where the writer looks. */
function promptLine(draft: string, isTyping: boolean, columns: number): Line {
  const cursor = isTyping ? '█' : '';
  const shown = endOf(draft, columns - 4);
  return joinFitting([[span('? ', 'accent'), span(shown), span(cursor, 'accent')]], columns);
}
