import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ApiKeys } from '../../../controller/trust/api-keys.ts';
import { tempHome } from '../../support/temp-home.ts';

test('a key is known by its hash alone, and revoked at once in a running controller', () => {
  const home = tempHome();
  const running = new ApiKeys(home);
  assert.deepEqual(running.list(), []);
  const command = new ApiKeys(home); // another process
  const [phone, laptop] = [
    command.create('phone', { isAdmin: false }),
    command.create('laptop', { isAdmin: true }),
  ];
  assert.match(phone, /^espalier-[\w-]{43}$/);
  assert.deepEqual([running.find(phone)?.name, running.find(phone)?.isAdmin], ['phone', false]);
  assert.equal(running.find(laptop)?.isAdmin, true);
  for (const wrong of ['', 'none', phone.slice(0, -1), `${phone}A`, phone.toUpperCase()])
    assert.equal(running.find(wrong), undefined);
  const kept = readFileSync(join(home, 'keys.json'), 'utf8');
  assert.ok(!kept.includes(phone.slice(9)) && !kept.includes(laptop.slice(9)));
  assert.equal(statSync(join(home, 'keys.json')).mode & 0o777, 0o600);
  command.revoke('phone');
  assert.equal(running.find(phone), undefined);
  assert.ok(running.find(laptop));
});

test('names are clear, and a file that others can read is not trusted', () => {
  const home = tempHome();
  const keys = new ApiKeys(home);
  keys.create('phone', { isAdmin: false });
  assert.throws(() => keys.create('phone', { isAdmin: true }), {
    code: 'bad_option',
    message: /there is a key "phone"/,
  });
  assert.throws(() => keys.create('a/b', { isAdmin: true }), { code: 'bad_option', message: /letters/ });
  assert.throws(() => keys.revoke('fone'), { code: 'bad_option', message: /no key "fone".*key list/ });
  chmodSync(join(home, 'keys.json'), 0o644);
  assert.throws(() => keys.list(), { code: 'home_damaged' });
});
