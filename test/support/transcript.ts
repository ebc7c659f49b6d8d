// A scheduler's steps as lines of text, for tests that are transcripts.
import type { Row, SessionOp } from '../../agent/engine/step.ts';
import type { ScheduledStep } from '../../agent/stage/scheduler.ts';

/**
 * `#1 +a s1@0×4`: step 1 opens request a as a session, whose tokens 0 to 3 it holds; `!` marks a sampling row, `?50` one that
 * is computed with the guess 50, `=s1` a
 * session that is kept, `-s1` one that is dropped, `s1:0` one that is trimmed to no tokens, `sync(s1:9)`
 * that of all sessions nothing stays but 9 tokens of s1.
 */
export function line(step: ScheduledStep | undefined): string {
  if (!step) return 'nothing';
  const rows = step.rows.map((row) => `s${row.session}@${row.position}×${row.count}${markOf(row)}`);
  return [`#${step.step}`, ...step.ops.map(writeOp), ...rows].join(' ');
}

function markOf({ sample, guess }: Row): string {
  return guess === undefined ? (sample ? '!' : '') : `?${guess}`;
}

function writeOp(op: SessionOp): string {
  switch (op.op) {
    case 'open': {
      const { from } = op;
      const source = from ? `(${from.take ? 'takes' : 'copies'} ${from.length} of s${from.session})` : '';
      return `+${op.requestId}${source}`;
    }
    case 'trim':
      return `s${op.session}:${op.length}`;
    case 'keep':
      return `=s${op.session}`;
    case 'drop':
      return `-s${op.session}`;
    case 'fail':
      return `!s${op.session}`;
    case 'sync':
      return `sync(${op.sessions.map(({ session, length }) => `s${session}:${length}`).join(' ')})`;
  }
}
