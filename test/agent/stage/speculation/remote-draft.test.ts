// Guesses from elsewhere: what the first stage is told, by a peer that follows a script and by the draft's own loop, whatever
// comes late, is lost or is of an earlier text.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DraftLoop } from '../../../../agent/stage/speculation/draft-loop.ts';
import type { DraftWord } from '../../../../agent/stage/speculation/draft-words.ts';
import { RemoteDraft } from '../../../../agent/stage/speculation/remote-draft.ts';
import type { GuessContext, GuessSource } from '../../../../agent/stage/speculation/source.ts';
import { MAX_DRAFT_IDS, MAX_DRAFT_WORDS } from '../../../../protocol/limits.ts';
import { GREEDY } from '../../../support/sampling.ts';

const SESSION = 7;

/** A first stage with a clock of its own, and what it said. */
class Head {
  readonly said: DraftWord[] = [];
  nowMs = 0;
  news = 0;
  readonly #due: { atMs: number; task: () => void }[] = [];
  readonly draft = new RemoteDraft({
    nowMs: () => this.nowMs,
    later: (ms, task) => this.#due.push({ atMs: this.nowMs + ms, task }),
  });

  constructor() {
    this.draft.listen(() => {
      this.news += 1;
    });
    this.draft.attach((word) => this.said.push(word));
  }

  wait(ms: number): void {
    this.nowMs += ms;
    for (const { atMs, task } of this.#due.splice(0)) {
      if (atMs <= this.nowMs) task();
      else this.#due.push({ atMs, task });
    }
  }

  guess(tokens: number[], guessed: number[] = [], count = 1) {
    return this.draft.guess(context(tokens, guessed), count);
  }

  answer(turn: number, at: number, ...ids: number[]): string | undefined {
    return this.draft.receive({ say: 'guess', session: SESSION, turn, at, ids });
  }
}

function context(tokens: number[], guessed: number[], promptTokens = 3): GuessContext {
  const promptIds = tokens.slice(0, promptTokens);
  const request = { requestId: 'a', promptIds, maxTokens: 100, stopIds: [], sampling: GREEDY };
  return { session: SESSION, request, tokens, guessed };
}

describe('a draft elsewhere', () => {
  test('is told the text once, guesses on by itself, and its guesses are here when they are asked for', async () => {
    const head = new Head();
    assert.equal(await head.guess([1, 2, 3]), 'coming');
    assert.equal(await head.guess([1, 2, 3]), 'coming', 'nothing is told twice');
    const open = { promptTokens: 3, sampling: { temperature: 0, topP: 1, seed: GREEDY.seed } };
    const text = { say: 'text', session: SESSION, turn: 1, at: 0, ids: [1, 2, 3], drawn: 3, until: 11, open };
    assert.deepEqual(head.said, [text]);
    for (const [i, id] of [4, 5, 6].entries()) head.answer(1, 3 + i, id);
    assert.equal(head.news, 4, 'whoever waits is woken');
    assert.deepEqual(await head.guess([1, 2, 3]), [4]);
    assert.deepEqual(await head.guess([1, 2, 3], [4]), [5]);
    assert.deepEqual(await head.guess([1, 2, 3, 4, 5], [], 2), [6]);
    assert.equal(head.said.length, 1);
    for (let at = 6; at < 11; at++) head.answer(1, at, at + 1);
    assert.deepEqual(await head.guess([1, 2, 3, 4, 5, 6], [], 2), [7, 8]);
    const more = { say: 'text', session: SESSION, turn: 1, at: 11, ids: [], drawn: 6, until: 14 };
    assert.deepEqual(head.said[1], more, 'it may go on before it has come to the end');
  });

  test('a wrong guess: it is told from there on, and what it guessed for the old text is of no use', async () => {
    const head = new Head();
    await head.guess([1, 2, 3]);
    head.answer(1, 3, 4);
    head.answer(1, 4, 5);
    assert.equal(await head.guess([1, 2, 3, 9]), 'coming');
    const { say, turn, at, ids } = head.said[1] as DraftWord & { say: 'text' };
    assert.deepEqual({ say, turn, at, ids }, { say: 'text', turn: 2, at: 3, ids: [9] });
    assert.equal(head.answer(1, 5, 6), undefined, 'late, which is no fault');
    assert.equal(await head.guess([1, 2, 3, 9]), 'coming');
    head.answer(2, 4, 8);
    assert.deepEqual(await head.guess([1, 2, 3, 9]), [8]);
  });

  test('of texts that change while it has not answered only the newest is told, when it has', async () => {
    const head = new Head();
    await head.guess([1, 2, 3]);
    for (let n = 4; n < 40; n++) await head.guess(Array.from({ length: n }, (_, i) => i + 1));
    assert.equal(head.said.length, 1);
    head.answer(1, 3, 99);
    await head.guess(Array.from({ length: 40 }, (_, i) => i + 1));
    assert.equal(head.said.length, 2);
  });

  test('whoever waits in vain is woken, others guess, and nobody waits again before it has answered', async () => {
    const head = new Head();
    assert.equal(await head.guess([1, 2, 3]), 'coming');
    const { news } = head;
    head.wait(1_000);
    assert.equal(head.news, news + 1);
    assert.deepEqual(await head.guess([1, 2, 3]), []);
    assert.deepEqual(await head.guess([1, 2, 3, 4]), []);
    head.answer(1, 3, 4);
    assert.equal(await head.guess([1, 2, 3, 4]), 'coming');
  });

  test('one that has no idea is not asked again, and one that is gone says nothing', async () => {
    const head = new Head();
    await head.guess([1, 2, 3]);
    head.answer(1, 3);
    assert.deepEqual(await head.guess([1, 2, 3, 4]), []);
    assert.equal(head.said.length, 1);
    head.draft.detach();
    assert.deepEqual(await head.guess([1, 2, 3]), []);
    head.draft.attach((word) => head.said.push(word));
    assert.equal(await head.guess([1, 2, 3]), 'coming', 'the next one is told everything');
    assert.equal((head.said[1] as { at?: number }).at, 0);
  });

  test('what it was not asked for is refused', async () => {
    const head = new Head();
    await head.guess([1, 2, 3]);
    assert.match(head.answer(1, 9, 4) ?? '', /place 9, which it was not asked for/);
    assert.match(head.answer(1, 3, ...new Array(9).fill(4)) ?? '', /was not asked for/);
    assert.match(head.draft.receive({ say: 'forget', session: SESSION }) ?? '', /only the first stage/);
    assert.equal(head.draft.receive({ say: 'guess', session: 99, turn: 1, at: 0, ids: [1] }), undefined);
  });

  test('a long prompt is told in parts, behind the last of which it guesses', async () => {
    const head = new Head();
    const tokens = Array.from({ length: MAX_DRAFT_IDS + 5 }, (_, i) => i);
    await head.draft.guess(context(tokens, [], tokens.length), 1);
    const parts = head.said.map((word) =>
      word.say === 'text' ? [word.at, word.ids.length, word.until] : [],
    );
    assert.deepEqual(parts, [
      [0, MAX_DRAFT_IDS, 0],
      [MAX_DRAFT_IDS, 5, tokens.length + 8],
    ]);
  });
});

/** What follows a text, for a draft that is always sure. */
function follows(text: readonly number[]): number {
  return ((text.at(-1) ?? 0) * 31 + (text.at(-2) ?? 0) * 17 + text.length) % 50;
}

/** Guesses what follows, after a while, and reads long texts in turns. */
function oracle(): GuessSource {
  const read = new Set<number>();
  return {
    ...{ name: 'draft' as const, isFree: false, forget: (session: number) => void read.delete(session) },
    async guess({ session, tokens, guessed, request }) {
      assert.equal(request.promptIds.length, 3);
      await new Promise(setImmediate);
      if (!read.has(session)) {
        read.add(session);
        return 'working';
      }
      return [follows([...tokens, ...guessed])];
    },
  };
}

describe('with the loop of a draft', () => {
  test('whatever is drawn, guessed and forgotten: each guess follows the very text that it is asked for', async () => {
    const wrong: string[] = [];
    const loop: DraftLoop = new DraftLoop({
      source: oracle(),
      say: (word) => wrong.push(...[head.draft.receive(word)].filter((each) => each !== undefined)),
      refuse: (reason) => wrong.push(reason),
      settle: () => new Promise(setImmediate),
      guessBegins: () => undefined,
      guessEnds: () => undefined,
    });
    const head = new Head();
    head.draft.attach((word) => wrong.push(...[loop.receive(word)].filter((each) => each !== undefined)));
    const ended = loop.run();
    let state = 12345;
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 16) % below;
    };
    let checked = 0;
    for (let text = 0; text < 12; text++) {
      const tokens = [text, 1, 2];
      let guessed: number[] = [];
      for (let n = 0; n < 80; n++) {
        const told = await head.draft.guess(
          { ...context(tokens, guessed), session: text % 3 },
          1 + random(3),
        );
        if (Array.isArray(told) && told.length > 0) {
          for (const [i, id] of told.entries())
            assert.equal(id, follows([...tokens, ...guessed, ...told.slice(0, i)]));
          checked += told.length;
          // now and then another source guesses something else
          guessed.push(...(random(8) === 0 ? [random(50)] : told));
        } else if (random(4) === 0) guessed.push(random(50));
        for (let turns = random(6); turns > 0; turns--) await new Promise(setImmediate);
        if (random(3) > 0 && guessed.length > 0) {
          const [first] = guessed.splice(0, 1);
          const isRight = random(5) > 0;
          tokens.push(isRight ? (first as number) : random(50));
          if (!isRight) guessed = [];
        }
      }
      head.draft.forget(text % 3);
    }
    assert.deepEqual(wrong, []);
    assert.ok(checked > 200, `only ${checked} guesses`);
    await loop.stop();
    await ended;
  });

  test('a first stage that is out of order is refused', async () => {
    const refused: string[] = [];
    const quiet = { say: () => undefined, settle: async () => undefined };
    const loop = new DraftLoop({
      ...{ source: oracle(), ...quiet, refuse: (reason: string) => refused.push(reason) },
      ...{ guessBegins: () => undefined, guessEnds: () => undefined },
    });
    const text: DraftWord = { say: 'text', session: 1, turn: 1, at: 0, ids: [1], drawn: 1, until: 4 };
    const open = { promptTokens: 2, sampling: GREEDY };
    const ended = loop.run();
    loop.receive(text);
    loop.receive({ ...text, open });
    loop.receive({ ...text, session: 2, at: 5, open });
    loop.receive({ ...text, session: 3, ids: [1, 2], drawn: 2, until: 0, open });
    loop.receive({ ...text, session: 3, turn: 2, ids: [9], drawn: 1 });
    await new Promise(setImmediate);
    await loop.stop();
    await ended;
    assert.deepEqual(refused, [
      'it tells of a session that it has not opened',
      'its text is shorter than its prompt',
      'it leaves out a part of a text',
      'it takes back what was drawn',
    ]);
    assert.match(
      loop.receive({ say: 'guess', session: 1, turn: 1, at: 0, ids: [] }) ?? '',
      /for the draft to do/,
    );
    const stopped = Array.from({ length: MAX_DRAFT_WORDS + 1 }, () => loop.receive(text));
    assert.match(stopped.at(-1) ?? '', /more than a draft can be told/);
  });
});
