import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { JoinTokens } from '../../../controller/trust/join-tokens.ts';
import { joinTokenId } from '../../../protocol/join-token.ts';
import { JOIN_TOKEN_MS, MAX_JOIN_TOKENS } from '../../../protocol/limits.ts';
import { tempHome } from '../../support/temp-home.ts';

const KEY = '12'.repeat(32);

test('a token counts once; its secret is gone afterwards, and who used it is told', () => {
  const home = tempHome();
  const token = new JoinTokens(home, KEY).create();
  const tokens = new JoinTokens(home, KEY); // another process: the command made it, the controller looks
  const id = joinTokenId(token);
  assert.deepEqual(tokens.look(id), { secret: token.secret });
  tokens.use(id, 'studio-3');
  const after = tokens.look(id) ?? assert.fail();
  assert.match('why' in after ? after.why : '', /used by node studio-3/);
  for (const name of readdirSync(join(home, 'tokens')))
    assert.ok(!readFileSync(join(home, 'tokens', name), 'utf8').includes(token.secret));
  assert.equal(tokens.look('0'.repeat(16)), undefined, 'of another controller');
});

test('a token counts for a day, and there are never many', () => {
  let now = 1_000;
  const tokens = new JoinTokens(tempHome(), KEY, () => now);
  const ids = Array.from({ length: MAX_JOIN_TOKENS }, () => joinTokenId(tokens.create()));
  assert.throws(() => tokens.create(), { code: 'bad_option', message: /64 join tokens/ });
  now += JOIN_TOKEN_MS;
  const expired = tokens.look(ids[0] ?? '') ?? assert.fail();
  assert.match('why' in expired ? expired.why : '', /expired/);
  now += 40 * 86_400_000;
  tokens.create();
  assert.equal(tokens.look(ids[0] ?? ''), undefined, 'it is forgotten');
});

test('what nobody used can be taken back, and what was used stays to be told', () => {
  const tokens = new JoinTokens(tempHome(), KEY);
  const [used, unused, later] = [0, 1, 2].map(() => joinTokenId(tokens.create())) as [string, string, string];
  tokens.use(used, 'studio-3');
  for (const id of [used, unused]) tokens.takeBack(id);
  assert.equal(tokens.look(unused), undefined);
  assert.match(JSON.stringify(tokens.look(used)), /used by node studio-3/);
  tokens.takeBackAll();
  assert.equal(tokens.look(later), undefined);
  for (let i = 0; i < MAX_JOIN_TOKENS; i++) tokens.create();
});
