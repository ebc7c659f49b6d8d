import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StopStrings } from '../../controller/stop-strings.ts';
import { allCuts, pick, randomCut, seeded } from './support.ts';

function shown(pieces: readonly string[], stops: readonly string[]): { text: string; stopped: boolean } {
  const matcher = new StopStrings(stops);
  let all = '';
  for (const piece of pieces) {
    const { text, stopped } = matcher.push(piece);
    all += text;
    if (stopped) return { text: all, stopped };
  }
  return { text: all + matcher.end(), stopped: false };
}

/** The shortest beginning of the text that ends in a stop string, without the longest one that it ends in. */
function expected(text: string, stops: readonly string[]): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const hits = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    if (hits.length > 0) {
      const longest = Math.max(...hits.map((stop) => stop.length));
      return { text: text.slice(0, end - longest), stopped: true };
    }
  }
  return { text, stopped: false };
}

test('a stop string is found across every cut and never shown', () => {
  for (const pieces of allCuts('one STOP two')) {
    assert.deepEqual(shown(pieces, ['STOP']), { text: 'one ', stopped: true });
    assert.deepEqual(shown(pieces, ['STOP!']), { text: 'one STOP two', stopped: false });
  }
});

test('chance texts, stops and cuts', () => {
  const random = seeded(5);
  const word = (length: number): string =>
    Array.from({ length }, () => pick(random, ['a', 'b', '\n'])).join('');
  for (let round = 0; round < 5_000; round++) {
    const text = word(12);
    const stops = Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
      word(1 + Math.floor(random() * 5)),
    );
    const pieces = randomCut(random, text);
    assert.deepEqual(shown(pieces, stops), expected(text, stops), JSON.stringify({ pieces, stops }));
  }
});

test('only what may still become a stop string waits', () => {
  const matcher = new StopStrings(['\n\n']);
  assert.deepEqual(matcher.push('a\n'), { text: 'a', stopped: false });
  assert.deepEqual(matcher.push('b'), { text: '\nb', stopped: false });
  assert.deepEqual(new StopStrings([]).push('a\n\n'), { text: 'a\n\n', stopped: false });
});
