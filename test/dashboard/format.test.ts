import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatAge,
  formatBytes,
  formatBytesShort,
  formatClock,
  formatCount,
  formatDuration,
  formatNumber,
  formatPlural,
  formatShare,
  printable,
} from '../../dashboard/format.ts';

test('what was not measured is a dash, and a measured zero is not', () => {
  for (const format of [formatNumber, formatDuration, formatShare, formatBytes, formatBytesShort]) {
    assert.equal(format(null), '–');
    assert.notEqual(format(0), '–');
  }
});

test('numbers keep to five characters at every size', () => {
  const cases: [number, string][] = [
    [0, '0.0'],
    [8.14, '8.1'],
    [99.94, '99.9'],
    [99.96, '100'],
    [9_999, '9999'],
    [9_999.6, '10k'],
    [123_456, '123k'],
  ];
  for (const [value, text] of cases) assert.equal(formatNumber(value), text);
});

test('durations choose their unit, ages count what has passed', () => {
  assert.equal(formatDuration(0.42), '0.4 ms');
  assert.equal(formatDuration(840), '840 ms');
  assert.equal(formatDuration(999.6), '1.0 s');
  assert.equal(formatDuration(4_200), '4.2 s');
  assert.equal(formatDuration(12_900), '12 s');
  assert.equal(formatAge(-5), '0 s');
  assert.equal(formatAge(119_999), '119 s');
  assert.equal(formatAge(120_000), '2 min');
  assert.equal(formatAge(7_200_000), '2 h');
  assert.equal(formatAge(172_800_000), '2 d');
});

test('memory is in units of 1024 and says so', () => {
  assert.equal(formatBytes(512 * 1024 ** 3), '512 GiB');
  assert.equal(formatBytes(58.5 * 1024 ** 3), '58.5 GiB');
  assert.equal(formatBytes(640), '640 B');
  assert.equal(formatBytes(1000 * 1024), '1.0 MiB');
  assert.equal(formatBytes(5000 * 1024 ** 4), '5000 TiB');
  assert.equal(formatBytesShort(58.5 * 1024 ** 3), '58.5G');
  assert.equal(formatBytesShort(999 * 1024 ** 2), '999M');
  assert.equal(formatBytesShort(1023 * 1024 ** 2), '1.0G');
});

test('shares, counts, plurals and the time of day', () => {
  assert.equal(formatShare(0.624), '62%');
  assert.equal(formatCount(1_234_567), '1,234,567');
  assert.equal(formatCount(999), '999');
  assert.equal(formatPlural(1, 'node'), '1 node');
  assert.equal(formatPlural(2, 'node'), '2 nodes');
  assert.equal(formatClock(new Date(2026, 0, 2, 3, 4, 5).getTime()), '03:04:05');
});

test('text from other machines cannot steer the terminal', () => {
  assert.equal(printable('studio\u001b[2J\u001b]0;owned\u0007-1'), 'studio-1');
  assert.equal(printable('a\r\nb\tc'), 'a b c');
  assert.equal(printable('x\u0000\u009b31m\u202ey\u2028'), 'xy');
  assert.equal(printable('Büro, 書斎, 🖥'), 'Büro, 書斎, 🖥');
});
