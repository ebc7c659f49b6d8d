// What strangers may call themselves and say, and what is left of it where people see it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EventLog } from '../../controller/status.ts';
import { ControlEvent } from '../../protocol/control.ts';
import { NodeFacts } from '../../protocol/node.ts';
import { PairingAnswer } from '../../protocol/pairing.ts';
import { printable, printableJsonLine } from '../../protocol/printable.ts';

const EVIL = '\u001b]0;owned\u0007\u001b[2Jstudio-1\u009b31m\u202e\r\nERROR all is lost';
const CLEAN = 'studio-1 ERROR all is lost';
/** All that a terminal may obey, and what turns text around. */
const STEERS = /[\p{Cc}\p{Cf}]/u;

test('sequences go, line breaks become spaces, and scripts stay', () => {
  assert.equal(printable(EVIL), CLEAN);
  assert.equal(printable('Büro, 書斎, 🖥'), 'Büro, 書斎, 🖥');
  assert.equal(printable('half \ud800 of one'), 'half  of one');
});

describe('an escape in what another machine says does not get past', () => {
  const facts = {
    ...{ id: '0123456789abcdef', name: EVIL, bootId: EVIL, pid: 1, platform: EVIL, arch: EVIL, chip: EVIL },
    ...{ cores: 1, memoryBytes: 1, espalierVersion: EVIL },
  };
  test('the name and the facts of a node', () => {
    assert.equal(NodeFacts.parse(facts).name, CLEAN);
    assert.doesNotMatch(Object.values(NodeFacts.parse(facts)).join(' '), STEERS);
    assert.equal(NodeFacts.parse({ ...facts, name: '\u001b[2J' }).name, '?');
    assert.equal(NodeFacts.parse({ ...facts, name: 'n'.repeat(5_000) }).name.length, 100);
  });

  test('the words of pairing', () => {
    const hello = PairingAnswer.parse({ kind: 'hello', protocol: 4, name: EVIL, tokenId: null });
    assert.deepEqual(hello, { kind: 'hello', protocol: 4, name: CLEAN, tokenId: null });
    const refused = PairingAnswer.parse({ kind: 'refused', code: 'x', message: EVIL });
    assert.deepEqual(refused, { kind: 'refused', code: 'x', message: CLEAN });
  });

  test('reasons on the control connection, which are cut rather than refused', () => {
    const reason = `${EVIL}${'.'.repeat(50_000)}`;
    for (const event of [
      { kind: 'refused', code: 'x', message: reason },
      { kind: 'stage-failed', epoch: 1, code: 'x', message: reason },
      { kind: 'stage-unlinked', epoch: 1, hop: 'before', reason },
      { kind: 'request-failed', epoch: 1, failure: { requestId: 'r', code: 'x', message: reason } },
    ]) {
      const text = Object.values({ ...event, ...ControlEvent.parse(event) }).join(' ');
      assert.doesNotMatch(text, STEERS);
      assert.ok(text.length < 10_000);
    }
  });

  test('events, whatever they are made of', () => {
    const events = new EventLog();
    events.add('error', `somebody says: ${EVIL}`, EVIL);
    assert.deepEqual([events.all[0]?.text, events.all[0]?.fix], [`somebody says: ${CLEAN}`, CLEAN]);
  });

  test('a line of a log, by whatever way it came in', () => {
    const line = `${JSON.stringify({ level: 40, error: EVIL, stack: 'Error: a\\u001b\n  at b' })}\n`;
    const shown = printableJsonLine(line);
    assert.ok(shown.endsWith('}\n'));
    const { error, stack } = JSON.parse(shown);
    assert.doesNotMatch(shown.trimEnd(), STEERS);
    assert.doesNotMatch(error.replaceAll(/[\r\n]/g, ''), STEERS);
    assert.match(error, /studio-1/);
    assert.equal(stack, 'Error: a\\u001b\n  at b', 'a backslash is no escape, and traces keep their lines');
  });
});
