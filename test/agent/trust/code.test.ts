import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Code, shownCode } from '../../../agent/trust/code.ts';
import { PAIRING_CODE_MS } from '../../../protocol/limits.ts';
import { PairingCode } from '../../../protocol/pairing.ts';
import { tempHome } from '../../support/temp-home.ts';

test('a code is eight digits, shown where only its owner can read it, and gone when it ends', () => {
  const home = tempHome();
  const shown: string[] = [];
  assert.equal(shownCode(home), undefined);
  const code = new Code(home, (text) => shown.push(text), assert.fail);
  assert.match(shown[0] ?? '', /^\d{4}-\d{4}$/);
  assert.equal(shownCode(home), shown[0]);
  assert.equal(PairingCode.parse(shown[0]), code.digits);
  assert.equal(statSync(join(home, 'pairing-code.json')).mode & 0o777, 0o600);
  const first = code.digits;
  code.renew();
  assert.notEqual(code.digits, first);
  assert.equal(shownCode(home), shown[1]);
  code.end();
  assert.equal(shownCode(home), undefined);
  assert.equal(code.digits, '');
});

test('an agent that was killed shows no code any more', () => {
  const home = tempHome();
  const code = new Code(home, () => undefined, assert.fail);
  const path = join(home, 'pairing-code.json');
  const { pid } = spawnSync(process.execPath, ['--version']);
  writeFileSync(path, readFileSync(path, 'utf8').replace(`"pid":${process.pid}`, `"pid":${pid}`));
  assert.equal(shownCode(home), undefined);
  code.end();
});

test('a code is another one after a quarter of an hour', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const home = tempHome();
  const code = new Code(home, () => undefined, assert.fail);
  const first = code.digits;
  t.mock.timers.tick(PAIRING_CODE_MS - 1);
  assert.equal(code.digits, first);
  t.mock.timers.tick(1);
  assert.notEqual(code.digits, first);
  assert.ok(shownCode(home));
  code.end();
});

test('codes are typed with or without the dash', () => {
  for (const text of ['1234-5678', '12345678', ' 1234 5678 '])
    assert.equal(PairingCode.parse(text), '12345678');
  for (const text of ['1234567', '123456789', '1234-567x', ''])
    assert.equal(PairingCode.safeParse(text).success, false);
});

test('a code that cannot be written down counts all the same, and is told', () => {
  const home = tempHome();
  const shown: string[] = [];
  const problems: string[] = [];
  writeFileSync(home, 'a file where the folder should be');
  const code = new Code(
    home,
    (text) => shown.push(text),
    ({ message }) => problems.push(message),
  );
  assert.equal(PairingCode.parse(shown[0]), code.digits);
  assert.match(problems[0] ?? '', /cannot be written/);
  code.end();
});
