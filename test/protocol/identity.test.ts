// Keys on the disk: made once, kept, and not trusted when others could have had them.
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { fingerprintOf, loadIdentity } from '../../protocol/identity.ts';

describe('identity', () => {
  const root = mkdtempSync(join(tmpdir(), 'espalier-identity-'));
  let home = '';
  let number = 0;
  beforeEach(() => {
    home = join(root, `home-${++number}`);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  test('is made once, and kept', async () => {
    const first = await loadIdentity(home, 'agent');
    assert.deepEqual(await loadIdentity(home, 'agent'), first);
    const controller = await loadIdentity(home, 'controller');
    assert.notEqual(controller.id, first.id);
    assert.equal(first.id, first.fingerprint.slice(0, 16));
    assert.equal(statSync(home).mode & 0o777, 0o700);
    assert.equal(statSync(join(home, 'agent.pem')).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(home).sort(), ['agent.pem', 'controller.pem'], 'nothing else is left');
  });

  test('is the key of its certificate, which no clock makes invalid', async () => {
    const { certificate, fingerprint } = await loadIdentity(home, 'agent');
    const x509 = new X509Certificate(certificate);
    const spki = x509.publicKey.export({ type: 'spki', format: 'der' });
    assert.equal(fingerprint, createHash('sha256').update(spki).digest('hex'));
    assert.equal(fingerprintOf(x509), fingerprint);
    assert.ok(x509.verify(x509.publicKey), 'it signs itself');
    assert.ok(x509.validFromDate.getTime() <= 0);
    assert.equal(x509.validToDate.getUTCFullYear(), 9999);
  });

  test('several that begin at once agree on one', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(home, 'agent')));
    assert.equal(new Set(all.map(({ fingerprint }) => fingerprint)).size, 1);
  });

  test('a damaged file is told, with what its loss means', async () => {
    await loadIdentity(home, 'agent');
    const path = join(home, 'agent.pem');
    const whole = readFileSync(path, 'utf8');
    const other = await loadIdentity(join(home, 'other'), 'agent');
    const [key = ''] = whole.split('-----BEGIN CERTIFICATE');
    for (const text of ['', whole.slice(0, 100), key, whole.replaceAll('A', 'B'), key + other.certificate]) {
      writeFileSync(path, text);
      await assert.rejects(loadIdentity(home, 'agent'), {
        code: 'home_damaged',
        message: /agent\.pem is damaged .*paired anew/,
      });
    }
  });

  test('a file that others can read, or a folder that others can write, is not trusted', async () => {
    await loadIdentity(home, 'agent');
    const path = join(home, 'agent.pem');
    chmodSync(path, 0o644);
    await assert.rejects(loadIdentity(home, 'agent'), { code: 'home_damaged', message: /644.*chmod 600/ });
    chmodSync(path, 0o600);
    chmodSync(home, 0o777);
    await assert.rejects(loadIdentity(home, 'agent'), { code: 'home_damaged', message: /777.*chmod 700/ });
  });

  test('a folder that cannot be made is named', async () => {
    writeFileSync(home, 'a file');
    await assert.rejects(loadIdentity(join(home, 'below'), 'agent'), /below/);
  });
});
