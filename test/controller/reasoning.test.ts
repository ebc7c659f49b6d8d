import assert from 'node:assert/strict';
import { test } from 'node:test';
import { promptOpensReasoning, ReasoningSplitter } from '../../controller/reasoning.ts';
import { referenceCases } from '../support/reference.ts';
import { allCuts, pick, randomCut, seeded } from './support.ts';

interface Split {
  reasoning: string;
  content: string;
}

function split(pieces: readonly string[], startsInReasoning: boolean): Split {
  const splitter = new ReasoningSplitter(startsInReasoning);
  const result: Split = { reasoning: '', content: '' };
  for (const { kind, text } of [...pieces.flatMap((piece) => splitter.push(piece)), ...splitter.end()]) {
    assert.notEqual(text, '', 'a segment always has text');
    result[kind] += text;
  }
  return result;
}

/** What the splitter should say, found in the whole text at once. */
function expected(text: string, startsInReasoning: boolean): Split {
  const opened = startsInReasoning ? text : /^\s*<think>(.*)$/s.exec(text)?.[1];
  if (opened === undefined) return { reasoning: '', content: text };
  const inside = opened.replace(/^\n+/, '');
  const end = inside.indexOf('</think>');
  if (end < 0) return { reasoning: inside, content: '' };
  return {
    reasoning: inside.slice(0, end).replace(/\n+$/, ''),
    content: inside.slice(end + '</think>'.length).replace(/^\n+/, ''),
  };
}

test('the example of the issue', () => {
  const text = 'So 688.\n</think>\n\n616 + 72';
  assert.deepEqual(split([text], true), { reasoning: 'So 688.', content: '616 + 72' });
});

test('all reference answers, letter by letter', () => {
  for (const { text, expected_answer, correct } of referenceCases) {
    const { reasoning, content } = split([...text], true);
    if (correct) assert.equal(content, expected_answer);
    assert.ok(text.startsWith(reasoning) && !/\n$|think>/.test(reasoning));
  }
});

test('every cut of short texts gives the same', () => {
  for (const text of [
    'a\n</think>\n\nb',
    '\n</think>\nb',
    '</thin</think>a',
    'a\n\n</thx\n',
    '<<</think>>',
    'a\n\n</thi',
  ]) {
    for (const pieces of allCuts(text)) assert.deepEqual(split(pieces, true), expected(text, true), text);
  }
  for (const text of [' <think>a</think>', '<think>\na\n', ' <thinkx>a', 'a<think>b', '\n<thi', ' \n ']) {
    for (const pieces of allCuts(text.slice(0, 14))) {
      assert.deepEqual(split(pieces, false), expected(text.slice(0, 14), false), text);
    }
  }
});

test('chance texts in chance cuts give what the whole text gives', () => {
  const random = seeded(4);
  const parts = ['</think>', '<think>', '</', '<', 'think', '>', '\n', '\n\n', ' ', 'word', '</thin', 'é😀'];
  for (let round = 0; round < 5_000; round++) {
    const text = Array.from({ length: 8 }, () => pick(random, parts)).join('');
    for (const starts of [true, false]) {
      const pieces = randomCut(random, text);
      assert.deepEqual(split(pieces, starts), expected(text, starts), JSON.stringify(pieces));
    }
  }
});

test('nothing waits longer than it must', () => {
  const splitter = new ReasoningSplitter(true);
  assert.deepEqual(splitter.push('So'), [{ kind: 'reasoning', text: 'So' }]);
  assert.deepEqual(splitter.push('\n<'), []);
  assert.deepEqual(splitter.push('b'), [{ kind: 'reasoning', text: '\n<b' }]);
  assert.deepEqual(splitter.push('.</think>\n'), [{ kind: 'reasoning', text: '.' }]);
  assert.deepEqual(splitter.push('x\n'), [{ kind: 'content', text: 'x\n' }]);
  assert.deepEqual(splitter.push('</think>'), [{ kind: 'content', text: '</think>' }]);
  assert.deepEqual(splitter.end(), []);
});

test('a prompt opens the reasoning when it ends in <think> and white space', () => {
  assert.ok(promptOpensReasoning('<｜Assistant｜><think>\n'));
  assert.ok(promptOpensReasoning('<think>'));
  assert.ok(!promptOpensReasoning('<think></think>\n\n'));
  assert.ok(!promptOpensReasoning('<think>\n.'));
});
