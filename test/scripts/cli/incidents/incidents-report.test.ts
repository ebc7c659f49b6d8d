import assert from 'node:assert/strict';
import { test } from 'node:test';
import { incidentsReport } from '../../../../scripts/cli/incidents/incidents-report.ts';
import { SAMPLE_INCIDENT } from '../../../controller/api/api-under-test.ts';

const NO_PAUSE = { planMs: null, loadMs: null, linkMs: null, replayMs: null };

test('without any there is a sentence', () => {
  assert.equal(incidentsReport({ incidents: [] }), 'Nothing went wrong so far.');
});

test('one that is not over says so, one that could not be mended says why', () => {
  const open = { ...SAMPLE_INCIDENT, outcome: 'open', done: null, pause: NO_PAUSE, fix: null } as const;
  const done = 'deepseek-r1 does not fit: 40 GB are missing';
  const impossible = {
    ...SAMPLE_INCIDENT,
    number: 8,
    requests: 0,
    outcome: 'impossible',
    done,
    pause: NO_PAUSE,
  } as const;
  const lines = incidentsReport({ incidents: [open, impossible] }).split('\n');
  assert.match(lines[0] ?? '', /^… #7 /);
  assert.equal(lines[1], '  not over yet, 2 requests waited');
  assert.match(lines[3] ?? '', /^✗ #8 /);
  assert.equal(lines[4], '  deepseek-r1 does not fit: 40 GB are missing');
  assert.equal(lines.length, 6);
});

test('names from other machines cannot steer the terminal', () => {
  const evil = incidentsReport({ incidents: [{ ...SAMPLE_INCIDENT, seen: 'a\u001b[2Jb\nc' }] });
  assert.match(evil, /ab c$/m);
});
