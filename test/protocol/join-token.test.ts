import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatJoinToken, joinTokenId, newJoinToken, parseJoinToken } from '../../protocol/join-token.ts';

const CONTROLLER = 'ab'.repeat(32);

test('a join token is one word that carries the controller, and its id tells nothing of its secret', () => {
  const token = newJoinToken(CONTROLLER);
  const text = formatJoinToken(token);
  assert.match(text, /^espalier-join-1\.[\w-]{64}$/);
  assert.deepEqual(parseJoinToken(` ${text}\n`), token);
  assert.notEqual(newJoinToken(CONTROLLER).secret, token.secret);
  assert.match(joinTokenId(token), /^[0-9a-f]{16}$/);
  assert.ok(!token.secret.includes(joinTokenId(token)));
});

test('what is no token is refused without being repeated', () => {
  const text = formatJoinToken(newJoinToken(CONTROLLER));
  for (const wrong of ['', text.slice(0, -4), `${text}AAAA`, text.replace('-1.', '-2.'), '12345678']) {
    assert.throws(
      () => parseJoinToken(wrong),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'bad_option');
        assert.match(error.message, /espalier token create/);
        assert.ok(wrong === '' || !error.message.includes(wrong));
        return true;
      },
    );
  }
});
