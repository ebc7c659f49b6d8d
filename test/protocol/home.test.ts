import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { test } from 'node:test';
import { espalierHome } from '../../protocol/home.ts';

test('ESPALIER_HOME decides, as an absolute path; else .espalier at home', () => {
  assert.equal(espalierHome({ ESPALIER_HOME: '/var/espalier' }), '/var/espalier');
  assert.equal(espalierHome({ ESPALIER_HOME: 'state' }), resolve('state'));
  assert.ok(isAbsolute(espalierHome({ ESPALIER_HOME: 'state' })));
  assert.equal(espalierHome({ ESPALIER_HOME: '' }), join(homedir(), '.espalier'));
  assert.equal(espalierHome({}), join(homedir(), '.espalier'));
});
