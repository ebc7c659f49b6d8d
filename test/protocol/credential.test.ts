import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OwnAuthority } from '../../controller/trust/authority.ts';
import { credentialHeaders } from '../../protocol/credential.ts';
import { tempHome } from '../support/temp-home.ts';

test("the secret of one's own controller goes to that controller on this machine, and nowhere else", () => {
  const home = tempHome();
  const authority = new OwnAuthority(home);
  authority.publish('http://127.0.0.1:7117');
  const environment = { ESPALIER_HOME: home };
  const expected = { authorization: `Bearer ${authority.secret}` };
  for (const url of ['http://127.0.0.1:7117', 'http://localhost:7117', 'http://[::1]:7117'])
    assert.deepEqual(credentialHeaders(url, environment), expected);
  for (const url of ['http://127.0.0.1:7118', 'http://studio-1:7117', 'http://127.0.0.1.evil.example:7117'])
    assert.deepEqual(credentialHeaders(url, environment), {}, url);
  assert.deepEqual(credentialHeaders('http://studio-1:7117', { ...environment, ESPALIER_KEY: 'k' }), {
    authorization: 'Bearer k',
  });
  chmodSync(join(home, 'controller.authority'), 0o644);
  assert.deepEqual(credentialHeaders('http://127.0.0.1:7117', environment), {});
  authority.withdraw();
});

test("a demo's controller has its home below the user's", () => {
  const home = tempHome();
  const authority = new OwnAuthority(join(home, 'demo', '7200', 'controller'));
  authority.publish('http://127.0.0.1:7200');
  assert.deepEqual(credentialHeaders('http://127.0.0.1:7200', { ESPALIER_HOME: home }), {
    authorization: `Bearer ${authority.secret}`,
  });
});
