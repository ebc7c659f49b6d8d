import assert from 'node:assert/strict';
import { test } from 'node:test';
import { span, type Tone } from '../../../dashboard/paint/line.ts';
import { chooseLook, styled, toAscii } from '../../../dashboard/paint/look.ts';
import { LOOK } from './drawn.ts';

test('the environment says what the terminal can show, and the user has the last word', () => {
  const look = (environment: NodeJS.ProcessEnv, options = {}) => chooseLook(options, environment);
  assert.deepEqual(look({ LANG: 'de_DE.UTF-8' }), LOOK);
  assert.deepEqual(look({}), LOOK);
  assert.equal(look({ LANG: 'C' }).ascii, true);
  assert.equal(look({ LANG: 'de_DE.UTF-8', LC_ALL: 'POSIX' }).ascii, true);
  assert.equal(look({ LANG: 'C' }, { ascii: false }).ascii, false);
  assert.equal(look({ TERM: 'linux' }).graph, 'block');
  assert.equal(look({ TERM: 'linux' }, { graph: 'braille' }).graph, 'braille');
  assert.equal(look({ NO_COLOR: '1' }).colours, false);
  assert.equal(look({ NO_COLOR: '' }).colours, true);
  assert.equal(look({ COLORFGBG: '0;15' }).theme, 'light');
  assert.equal(look({ COLORFGBG: '15;0' }).theme, 'dark');
  assert.equal(look({ COLORFGBG: '0;15' }, { theme: 'dark' }).theme, 'dark');
});

test('without colours no code of a colour leaves, with them each style is closed again', () => {
  const tones: Tone[] = ['plain', 'title', 'quiet', 'accent', 'good', 'warn', 'bad', 'focus', 'selected'];
  const line = tones.map((tone) => span('x', tone));
  for (const theme of ['dark', 'light'] as const) {
    const without = styled(line, { ...LOOK, theme, colours: false }, false);
    assert.doesNotMatch(without, /\[(3[0-7]|9[0-7]|38)/);
    const coloured = styled(line, { ...LOOK, theme }, false);
    const codes = [...coloured.matchAll(/\[(\d+)m/g)].map(([, code]) => Number(code));
    const opened = codes.filter((code) => code < 22 || (code >= 30 && code <= 37));
    assert.equal(codes.length, 2 * opened.length);
  }
  assert.equal(styled([span('x', 'good')], LOOK, true), '\u001b[2mx\u001b[22m', 'an old picture is dim');
});

test('ASCII keeps every cell, and has a sign for each of ours', () => {
  const ours = '–·…→↓↺│╰─▸●◐◑◔○◌▲■✗✓◆┌└█▓░▁▂▃▄▅▆▇';
  const ascii = toAscii(ours);
  assert.match(ascii, /^[\x20-\x7e]+$/);
  assert.ok(!ascii.includes('?'));
  assert.equal(ascii.length, ours.length);
  assert.equal(toAscii('工x'), '??x');
});
